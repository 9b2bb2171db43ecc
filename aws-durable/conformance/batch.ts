import { type BatchResult, BatchItemStatus } from "@aws/durable-execution-sdk-js";

/** What the cases of parallel and map look at. */
export function summary<K extends keyof BatchResult<unknown>>(
  batch: BatchResult<unknown>,
  ...members: K[]
): Pick<BatchResult<unknown>, K> {
  return Object.fromEntries(members.map((member) => [member, batch[member]])) as Pick<
    BatchResult<unknown>,
    K
  >;
}

/** A batch of which all items have succeeded, as a custom deserializer must give it. */
export function succeededBatch<T>(results: T[]): BatchResult<T> {
  const all = results.map((result, index) => ({ result, index, status: BatchItemStatus.SUCCEEDED as const }));
  return {
    all,
    succeeded: () => all,
    failed: () => [],
    started: () => [],
    status: BatchItemStatus.SUCCEEDED,
    completionReason: "ALL_COMPLETED",
    hasFailure: false,
    throwIfError: () => undefined,
    getResults: () => results,
    getErrors: () => [],
    successCount: all.length,
    failureCount: 0,
    startedCount: 0,
    totalCount: all.length,
  };
}
