import { type Cases, failing, retry, value } from "./cases.js";

/** Tells nobody: the test sees the callback's id in the history. */
const submit = async (): Promise<void> => undefined;

export const waitsForCallback: Cases = {
  "7-1": (name: string, context) => context.waitForCallback(name, submit),
  "7-2": (_, context) => context.waitForCallback("approval", submit),
  "7-3": (_, context) => context.waitForCallback(async () => undefined),
  "7-4": (name: string, context) => context.waitForCallback(name, submit),
  "7-5": (name: string, context) => context.waitForCallback(name, submit, { timeout: { seconds: 3 } }),
  "7-6": async (name: string, context) => {
    try {
      return await context.waitForCallback(name, submit);
    } catch {
      return "recovered";
    }
  },
  "7-7": (name: string, context) => context.waitForCallback(name, failing, retry(2)),
  "7-8": (name: string, context) =>
    context.runInChildContext("wrapper", (child) => child.waitForCallback(name, submit)),
  "7-9": async (_, context) => {
    await context.waitForCallback("first", submit);
    return context.waitForCallback("second", submit);
  },
  "7-10": async (name: string, context) => {
    await context.wait({ seconds: 1 });
    await context.step(value("fixed data"));
    return context.waitForCallback(name, submit);
  },
  "7-11": async (name: string, context) => {
    const deserialize = async (data: string | undefined) => JSON.parse(data ?? "null") as { status: string };
    return (await context.waitForCallback(name, submit, { serdes: { deserialize } })).status;
  },
  "7-12": (name: string, context) =>
    context.waitForCallback(name, submit, { heartbeatTimeout: { seconds: 5 } }),
  "7-13": (name: string, context) =>
    context.waitForCallback(name, submit, { heartbeatTimeout: { seconds: 10 } }),
  "7-14": async (name: string, context) => {
    try {
      return await context.waitForCallback(name, submit, { timeout: { seconds: 3 } });
    } catch {
      return "timed-out-handled";
    }
  },
  "7-15": async (name: string, context) => (await context.waitForCallback(name, submit)) ?? null,
};
