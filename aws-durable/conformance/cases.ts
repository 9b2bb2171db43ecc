import type { DurableContext, RetryDecision, Serdes } from "@aws/durable-execution-sdk-js";

/** A handler for one of AWS's conformance cases. Each knows what its requirement sends as the event. */
export type Case = (event: never, context: DurableContext) => Promise<unknown>;

/** By the ids of the cases. */
export type Cases = Record<string, Case>;

export const once = { retryStrategy: (): RetryDecision => ({ shouldRetry: false }) };
export const sequential = { maxConcurrency: 1 };

export function retry(attempts: number, seconds = 1) {
  return {
    retryStrategy: (_: Error, made: number): RetryDecision =>
      made < attempts ? { shouldRetry: true, delay: { seconds } } : { shouldRetry: false },
  };
}

export const value =
  <T>(result: T) =>
  async (): Promise<T> =>
    result;

export const failing = async (): Promise<never> => {
  throw new Error("this always fails");
};

export const upperCase: Serdes<string> = {
  serialize: async (text) => text?.toUpperCase(),
  deserialize: async (data) => data,
};
