import {
  createWaitStrategy,
  JitterStrategy,
  type Serdes,
  type WaitForConditionConfig,
} from "@aws/durable-execution-sdk-js";
import { type Cases, failing, value } from "./cases.js";

const increment = async (state: number): Promise<number> => state + 1;

/** Polls while `goesOn`, every `seconds`. */
function polling<T>(
  initialState: T,
  goesOn: (state: T) => boolean,
  seconds = 1,
  maxAttempts = 10,
): WaitForConditionConfig<T> {
  return {
    initialState,
    waitStrategy: createWaitStrategy<T>({
      maxAttempts,
      initialDelay: { seconds },
      backoffRate: 1,
      jitter: JitterStrategy.NONE,
      shouldContinuePolling: goesOn,
    }),
  };
}

const upTo = (threshold: number, initialState = 0, seconds = 1) =>
  polling<number>(initialState, (state) => state < threshold, seconds);

const reversed: Serdes<string> = {
  serialize: async (text) => text && Buffer.from(text).toString("base64"),
  deserialize: async (data) => data && Buffer.from(data, "base64").toString(),
};

export const conditions: Cases = {
  "6-1": (threshold: number, context) => context.waitForCondition(increment, upTo(threshold)),
  "6-2": (threshold: number, context) =>
    context.waitForCondition(async (state) => state, upTo(threshold, threshold)),
  "6-3": (threshold: number, context) => context.waitForCondition("poll-status", increment, upTo(threshold)),
  "6-4": (threshold: number, context) => context.waitForCondition(increment, upTo(threshold, 5)),
  "6-5": (threshold: number, context) => context.waitForCondition(increment, upTo(threshold, 0, 2)),
  "6-6": (_, context) =>
    context.waitForCondition(
      increment,
      polling(0, () => true, 1, 3),
    ),
  "6-7": (_, context) => context.waitForCondition(failing, upTo(1)),
  "6-8": async (_, context) => {
    try {
      return await context.waitForCondition(failing, upTo(1));
    } catch {
      return "recovered";
    }
  },
  "6-9": (_, context) =>
    context.waitForCondition(
      async ({ status, attempts }) => ({
        status: attempts + 1 >= 2 ? "DONE" : status,
        attempts: attempts + 1,
      }),
      polling({ status: "PENDING", attempts: 0 }, ({ status }) => status === "PENDING"),
    ),
  "6-10": (_, context) =>
    context.waitForCondition(
      async () => null,
      polling<null>(null, () => false),
    ),
  "6-11": (_, context) =>
    context.waitForCondition(async (state) => `${state}x`, {
      ...polling("", (state) => state.length < 2),
      serdes: reversed,
    }),
  "6-12": async (threshold: number, context) => {
    const state = await context.waitForCondition(increment, upTo(threshold));
    return context.step(value(state * 10));
  },
  "6-13": async (_, context) => {
    const first = await context.waitForCondition(increment, upTo(2));
    return context.waitForCondition(increment, upTo(4, first));
  },
};
