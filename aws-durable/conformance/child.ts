import { GetDurableExecutionHistoryCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type Cases, failing, once, retry, upperCase, value } from "./cases.js";

const LARGE = 300_000;
const NAME = "child";

/** Whether this is asked for the first time in the execution, over all of its processes. */
function isFirst(executionArn: string): boolean {
  const marker = join(tmpdir(), `conformance-${createHash("sha256").update(executionArn).digest("hex")}`);
  if (existsSync(marker)) return false;
  writeFileSync(marker, "");
  return true;
}

/** Waits until it is checkpointed that a step has started, which the SDK does beside the step. */
async function stepStarted(DurableExecutionArn: string): Promise<void> {
  const lambda = new LambdaClient();
  for (;;) {
    const { Events } = await lambda.send(new GetDurableExecutionHistoryCommand({ DurableExecutionArn }));
    if (Events?.some(({ EventType }) => EventType === "StepStarted")) return;
    await setTimeout(20);
  }
}

export const children: Cases = {
  "3-1": (input: string, context) => context.runInChildContext((child) => child.step(value(input))),
  "3-2": ({ name, value: result }: { name: string; value: string }, context) =>
    context.runInChildContext(name, (child) => child.step(value(result))),
  "3-3": (input: string, context) =>
    context.runInChildContext(NAME, async (child) => {
      const first = await child.step(value(input));
      return child.step(value(first));
    }),
  "3-4": (_, context) => context.runInChildContext(NAME, (child) => child.step(failing, once)),
  "3-5": async (input: string, context) => {
    try {
      return await context.runInChildContext((child) => child.step(failing, once));
    } catch {
      return context.step(value(input));
    }
  },
  "3-6": (input: string, context) =>
    context.runInChildContext("outer", async (outer) => {
      await outer.step(value(input));
      return outer.runInChildContext("inner", (inner) => inner.step(value(input)));
    }),
  "3-7": (input: string, context) =>
    context.runInChildContext(NAME, (child) =>
      child.step(async ({ attempt }) => {
        if (attempt === 1) throw new Error("the first attempt fails");
        return input;
      }, retry(2)),
    ),
  "3-8": (_, context) => context.runInChildContext(NAME, (child) => child.step(failing, retry(2))),
  "3-9": async (input: string, context) => {
    const result = await context.runInChildContext((child) => child.step(value(input)));
    await context.wait({ seconds: 1 });
    return result;
  },
  "3-10": (input: string, context) =>
    context.runInChildContext(NAME, async (child) => {
      const result = await child.step(value(input));
      await child.wait({ seconds: 1 });
      return result;
    }),
  "3-11": async (input: string, context) => {
    const result = await context.runInChildContext(NAME, async (child) => {
      child.configureLogger({ modeAware: false });
      child.logger.info(input);
      const small = await child.step(value("x"));
      return small.repeat(LARGE);
    });
    await context.wait({ seconds: 1 });
    return result.length;
  },
  "3-12": (input: string, context) =>
    context.runInChildContext((child) =>
      child.step(async () => {
        const { durableExecutionArn } = context.executionContext;
        if (isFirst(durableExecutionArn)) {
          await stepStarted(durableExecutionArn);
          process.exit(1);
        }
        return input;
      }),
    ),
  "3-13": async (input: string, context) => {
    const result = await context.runInChildContext(NAME, async (child) => {
      await child.wait({ seconds: 1 });
      return input;
    });
    return context.step(value(result));
  },
  "3-14": (input: string, context) =>
    context.runInChildContext(NAME, (child) => child.step(value(input)), { serdes: upperCase }),
  "3-15": (_, context) => context.runInChildContext(NAME, failing),
  "3-16": (_, context) => context.runInChildContext(NAME, value(null)),
  "3-17": async (input: string, context) => {
    const result = await context.runInChildContext(NAME, async (child) => {
      child.configureLogger({ modeAware: false });
      child.logger.info(input);
      return input;
    });
    await context.wait({ seconds: 1 });
    return result;
  },
  "3-18": async (input: string, context) => {
    const result = await context.runInChildContext(NAME, async (child) => {
      const inner = await child.step(value(input));
      await child.wait({ seconds: 1 });
      return inner;
    });
    const outer = await context.step(value(result));
    await context.wait({ seconds: 1 });
    return outer;
  },
};
