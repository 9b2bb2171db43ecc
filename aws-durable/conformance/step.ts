import { createRetryStrategy, JitterStrategy, StepSemantics } from "@aws/durable-execution-sdk-js";
import { type Cases, failing, once, retry, upperCase, value } from "./cases.js";

class TransientError extends Error {
  override readonly name = "TransientError";
}

const atMostOnce = { semantics: StepSemantics.AtMostOncePerRetry };

export const steps: Cases = {
  "1-1": (name: string, context) => context.step(value(`Hello, ${name}!`)),
  "1-2": (name: string, context) => context.step("custom_step_name", value(`Hello, ${name}!`)),
  "1-3": async (_, context) => {
    const first = await context.step(value("first"));
    return context.step(value(`${first}_second`));
  },
  "1-4": ({ name, tags }: { name: string; tags: string[] }, context) =>
    context.step(value({ user: { name, tags }, count: tags.length })),
  "1-5": (_, context) => context.step(value(null)),
  "1-6": (text: string, context) => context.step(value(text), { serdes: upperCase }),
  "1-7": (name: string, context) =>
    context.step(async ({ logger }) => {
      logger.info(`Greeting step started for: ${name}`);
      const greeting = `Hello, ${name}!`;
      logger.info(`Greeting step completed with: ${greeting}`);
      return greeting;
    }),
  "1-8": async (_, context) => {
    const result = await context.step(value("computed"));
    await context.wait({ seconds: 2 });
    return result;
  },
  "1-9": async (_, context) => {
    const result = await context.step(value("cached_value"));
    await context.wait({ seconds: 1 });
    return result;
  },
  "1-10": async (_, context) => {
    let caught = "nothing";
    try {
      await context.step(failing, once);
    } catch (error) {
      caught = String(error);
    }
    await context.wait({ seconds: 1 });
    return caught;
  },
  "1-11": (_, context) =>
    context.step(async ({ attempt }) => {
      if (attempt === 1) throw new Error("the first attempt fails");
      return "Operation succeeded";
    }, retry(3)),
  "1-12": (_, context) => context.step(failing, retry(4)),
  "1-13": (_, context) =>
    context.step(async ({ attempt }) => {
      if (attempt < 3) throw new Error(`attempt ${attempt} fails`);
      return attempt;
    }),
  "1-14": (_, context) =>
    context.step(
      async ({ attempt }) => {
        if (attempt < 3) throw new Error(`attempt ${attempt} fails`);
        return attempt;
      },
      {
        retryStrategy: createRetryStrategy({
          maxAttempts: 5,
          initialDelay: { seconds: 2 },
          backoffRate: 3,
          jitter: JitterStrategy.NONE,
        }),
      },
    ),
  "1-15": (_, context) =>
    context.step(
      async ({ attempt }) => {
        if (attempt === 1) throw new TransientError("try again");
        return attempt;
      },
      {
        retryStrategy: createRetryStrategy({
          maxAttempts: 3,
          initialDelay: { seconds: 1 },
          jitter: JitterStrategy.NONE,
          retryableErrorTypes: [TransientError],
        }),
      },
    ),
  "1-16": (_, context) =>
    context.step(
      async () => {
        throw new TransientError("not again");
      },
      {
        retryStrategy: (error) =>
          error instanceof TransientError
            ? { shouldRetry: false }
            : { shouldRetry: true, delay: { seconds: 1 } },
      },
    ),
  "1-17": (input: string, context) =>
    context.step(
      "at_most_once_flaky_step",
      async ({ logger }) => {
        logger.info(input);
        process.exit(1);
      },
      { ...atMostOnce, ...once },
    ),
  "1-18": (input: string, context) =>
    context.step(
      async ({ logger, attempt }) => {
        logger.info(input);
        if (attempt === 1) process.exit(1);
        return "succeeded on second attempt";
      },
      { ...atMostOnce, ...retry(2) },
    ),
  "1-19": (_, context) => context.step(failing, once),
  "1-20": async (_, context) => {
    try {
      return await context.step(failing, once);
    } catch {
      return context.step(value("fallback_result"));
    }
  },
};
