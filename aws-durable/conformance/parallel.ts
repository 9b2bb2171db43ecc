import {
  type CompletionConfig,
  type DurableContext,
  NestingType,
  type Serdes,
} from "@aws/durable-execution-sdk-js";
import { summary } from "./batch.js";
import { type Cases, failing, sequential, value } from "./cases.js";

type Branch = (context: DurableContext) => Promise<unknown>;

const ok = value("ok");
const step = (result: string) => (context: DurableContext) => context.step(value(result));

const wrapped: Serdes<string> = {
  serialize: async (result) => JSON.stringify({ wrapped: result }),
  deserialize: async (data) => data && (JSON.parse(data) as { wrapped: string }).wrapped,
};

async function results(context: DurableContext, branches: Branch[]): Promise<unknown[]> {
  return (await context.parallel("parallel", branches, sequential)).getResults();
}

function run(context: DurableContext, completionConfig: CompletionConfig, ...branches: Branch[]) {
  return context.parallel("parallel", branches, { ...sequential, completionConfig });
}

const counts = ["completionReason", "successCount", "failureCount", "totalCount"] as const;

export const parallels: Cases = {
  "8-1": (_, context) => results(context, [step("task-1"), step("task-2")]),
  "8-2": async (_, context) =>
    (await context.parallel([value("alpha"), value("beta")], sequential)).getResults(),
  "8-3": async (_, context) => {
    const branches = [
      { name: "first", func: value("one") },
      { name: "second", func: value("two") },
    ];
    return (await context.parallel("parallel", branches, sequential)).getResults();
  },
  "8-4": (_, context) => results(context, [value("hello"), value(42), value({ k: "v" })]),
  "8-5": (_, context) => results(context, []),
  "8-6": async (_, context) =>
    summary(await run(context, { toleratedFailureCount: 0 }, ok, failing, ok), ...counts, "status"),
  "8-7": async (_, context) => {
    const batch = await run(context, { toleratedFailureCount: 0 }, failing, ok);
    batch.throwIfError();
    return batch.getResults();
  },
  "8-8": async (_, context) =>
    summary(
      await run(context, { minSuccessful: 2 }, ok, ok, ok, ok),
      "completionReason",
      "successCount",
      "totalCount",
    ),
  "8-9": async (_, context) =>
    summary(await run(context, { toleratedFailureCount: 1 }, ok, failing, ok), ...counts, "status"),
  "8-10": async (_, context) =>
    summary(await run(context, { toleratedFailureCount: 1 }, failing, failing, ok), ...counts),
  "8-11": async (_, context) => {
    const branches = ["r0", "r1", "r2"].map((result) => value(result));
    return (await context.parallel("parallel", branches, { maxConcurrency: 2 })).getResults();
  },
  "8-12": async (_, context) => {
    const config = { ...sequential, nesting: NestingType.FLAT };
    return (await context.parallel("parallel", [step("fa"), step("fb")], config)).getResults();
  },
  "8-13": async (_, context) =>
    summary(await run(context, { toleratedFailurePercentage: 25 }, failing, failing, ok, ok), ...counts),
  "8-14": (_, context) =>
    results(context, [
      step("b0"),
      async (branch) => {
        await branch.wait({ seconds: 2 });
        return "b1";
      },
    ]),
  "8-15": async (_, context) => {
    const config = { ...sequential, itemSerdes: wrapped };
    return (await context.parallel("parallel", [value("x"), value("y")], config)).getResults();
  },
  "8-16": async (_, context) =>
    summary(await run(context, { toleratedFailureCount: 3 }, failing, failing, failing), ...counts, "status"),
  "8-17": async (_, context) =>
    summary(await run(context, { minSuccessful: 3 }, ok, failing, ok), ...counts, "status"),
  "8-18": async (_, context) =>
    summary(
      await run(context, { minSuccessful: 3, toleratedFailureCount: 1 }, failing, failing, ok, ok),
      ...counts,
    ),
  "8-19": async (_, context) =>
    (await context.parallel("parallel", [ok, ok], { maxConcurrency: 0 })).getResults(),
  "8-20": async (_, context) => {
    const batch = await run(context, { toleratedFailureCount: 1 }, ok, failing, ok);
    return {
      hasFailure: batch.hasFailure,
      successCount: batch.succeeded().length,
      failureCount: batch.failed().length,
      errorCount: batch.getErrors().length,
    };
  },
  "8-21": (_, context) => results(context, [(branch) => results(branch, [step("i1"), step("i2")])]),
  "8-22": async (_, context) =>
    summary(await run(context, { toleratedFailurePercentage: 25 }, failing, ok, ok, ok), ...counts, "status"),
};
