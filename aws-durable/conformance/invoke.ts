import type { Serdes } from "@aws/durable-execution-sdk-js";
import { type Cases, value } from "./cases.js";

const ECHO = "conf-echo:live";
const FAIL = "conf-fail:live";
const SIZE = "conf-size:live";
const LARGE = 700_000;
/** Without a name, an input that is text would be taken for the function's name. */
const NAME = "target";

const upperCaseJson: Serdes<unknown> = {
  serialize: async (input) => JSON.stringify(input).toUpperCase(),
  deserialize: async (data) => data?.toUpperCase(),
};

/** What the cases of chained invokes invoke. */
export const targets: Cases = {
  echo: async (event: unknown) => event,
  fail: async () => {
    throw new Error("the target fails");
  },
  size: async (event: string) => ({ size: event.length }),
};

export const invokes: Cases = {
  "5-1": (event: unknown, context) => context.invoke(NAME, ECHO, event),
  "5-2": ({ name, payload }: { name: string; payload: string }, context) =>
    context.invoke(name, ECHO, payload),
  "5-3": (event: unknown, context) => context.invoke(NAME, ECHO, event),
  "5-4": (_, context) => context.invoke(NAME, ECHO, null),
  "5-5": (_, context) => context.invoke(NAME, FAIL, "input"),
  "5-6": async (_, context) => {
    try {
      return await context.invoke(NAME, FAIL, "input");
    } catch {
      return "fallback";
    }
  },
  "5-7": (_, context) => context.invoke(NAME, SIZE, "x".repeat(LARGE)),
  "5-8": ({ tenantId, payload }: { tenantId: string; payload: string }, context) =>
    context.invoke(NAME, ECHO, payload, { tenantId }),
  "5-9": async (_, context) => {
    const result = await context.invoke(NAME, ECHO, "input");
    await context.wait({ seconds: 1 });
    return result;
  },
  "5-10": async (_, context) => {
    let caught = "nothing";
    try {
      await context.invoke(NAME, FAIL, "input");
    } catch (error) {
      caught = String(error);
    }
    await context.wait({ seconds: 1 });
    return caught;
  },
  "5-11": async (_, context) => context.invoke(NAME, ECHO, await context.step(value("from a step"))),
  "5-12": async (_, context) => {
    const result = await context.invoke<string, string>(NAME, ECHO, "input");
    return context.step(value(`${result}, processed`));
  },
  "5-13": (_, context) => context.runInChildContext((child) => child.invoke(NAME, ECHO, "input")),
  "5-14": async (_, context) => {
    const first = await context.invoke<string, string>(NAME, ECHO, "first");
    return [first, await context.invoke<string, string>(NAME, ECHO, "second")];
  },
  "5-15": (event: unknown, context) => context.invoke(NAME, ECHO, event, { payloadSerdes: upperCaseJson }),
  "5-16": (event: unknown, context) => context.invoke(NAME, ECHO, event, { resultSerdes: upperCaseJson }),
};
