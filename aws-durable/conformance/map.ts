import {
  type BatchResult,
  type CompletionConfig,
  type DurableContext,
  NestingType,
  type Serdes,
} from "@aws/durable-execution-sdk-js";
import { succeededBatch, summary } from "./batch.js";
import { type Cases, failing, sequential, value } from "./cases.js";

const counts = ["completionReason", "successCount", "failureCount", "totalCount"] as const;

const prefixed: Serdes<string> = {
  serialize: async (result) => `wrapped:${result}`,
  deserialize: async (data) => data?.replace(/^wrapped:/, ""),
};

const PREFIX = "OPSERDE:";
const joined: Serdes<BatchResult<string>> = {
  serialize: async (batch) => `${PREFIX}${batch?.getResults().join(",")}`,
  deserialize: async (data) =>
    data === undefined ? undefined : succeededBatch(data.slice(PREFIX.length).split(",")),
};

const upperCase = async (_: DurableContext, item: string): Promise<string> => item.toUpperCase();

/** A map over outcomes: an item that is `false` fails. */
function run(context: DurableContext, completionConfig: CompletionConfig, ...items: boolean[]) {
  return context.map("map", items, (_, item) => (item ? value("ok")() : failing()), {
    ...sequential,
    completionConfig,
  });
}

export const maps: Cases = {
  "9-1": async (items: string[], context) => {
    const greet = (child: DurableContext, item: string) => child.step(value(`Hello, ${item}!`));
    return (await context.map("map", items, greet, sequential)).getResults();
  },
  "9-2": async (items: number[], context) =>
    (await context.map(items, async (_, item) => item * 2, sequential)).getResults(),
  "9-3": async (items: number[], context) =>
    (await context.map("map", items, async (_, item, index) => item + index, sequential)).getResults(),
  "9-4": async (items: string[], context) =>
    (await context.map("map", items, upperCase, sequential)).getResults(),
  "9-5": async (_, context) =>
    summary(await run(context, { toleratedFailureCount: 0 }, true, false, true), ...counts, "status"),
  "9-6": async (_, context) => {
    const batch = await run(context, { toleratedFailureCount: 0 }, false, true);
    batch.throwIfError();
    return batch.getResults();
  },
  "9-7": async (_, context) =>
    summary(
      await run(context, { minSuccessful: 2 }, true, true, true, true),
      "completionReason",
      "successCount",
      "totalCount",
    ),
  "9-8": async (_, context) =>
    summary(await run(context, { toleratedFailureCount: 1 }, true, false, true), ...counts, "status"),
  "9-9": async (_, context) =>
    summary(await run(context, { toleratedFailureCount: 1 }, false, false, true), ...counts),
  "9-10": async (_, context) =>
    summary(await run(context, { toleratedFailurePercentage: 25 }, false, false, true, true), ...counts),
  "9-11": async (_, context) => {
    const same = async (_: DurableContext, item: string): Promise<string> => item;
    return (await context.map("map", ["r0", "r1", "r2"], same, { maxConcurrency: 2 })).getResults();
  },
  "9-12": async (_, context) => {
    const step = (child: DurableContext, item: string) => child.step(value(item));
    const config = { ...sequential, nesting: NestingType.FLAT };
    return (await context.map("map", ["fa", "fb"], step, config)).getResults();
  },
  "9-13": async (items: number[], context) => {
    const config = { ...sequential, itemNamer: (item: number) => `item-${item}` };
    return (await context.map("map", items, async (_, item) => item * 10, config)).getResults();
  },
  "9-14": async (_, context) => {
    const config = { ...sequential, itemSerdes: prefixed };
    return (await context.map("map", ["x", "y"], upperCase, config)).getResults();
  },
  "9-15": async (_, context) => {
    const visit = async (child: DurableContext, item: string, index: number): Promise<string> => {
      if (index === 1) await child.wait({ seconds: 1 });
      return child.step(value(item));
    };
    return (await context.map("map", ["r0", "r1"], visit, sequential)).getResults();
  },
  "9-16": async (_, context) => {
    const large = async (_: DurableContext, item: string): Promise<string> => item.repeat(70_000);
    const batch = await context.map("map", ["a", "b", "c", "d"], large, sequential);
    return summary(batch, "successCount", "totalCount");
  },
  "9-17": async (_, context) => {
    const batch = await context.map("map", ["a", "b"], upperCase, sequential);
    await context.wait({ seconds: 1 });
    return batch.getResults();
  },
  "9-18": async (_, context) => {
    const batch = await run(context, { toleratedFailureCount: 1 }, true, false);
    await context.wait({ seconds: 1 });
    return summary(batch, ...counts, "status");
  },
  "9-19": async (_, context) => {
    const config = { ...sequential, serdes: joined };
    return (await context.map("map", ["x", "y"], upperCase, config)).getResults();
  },
  "9-20": async (_, context) => {
    const config = { ...sequential, serdes: joined };
    const batch = await context.map("map", ["x", "y"], upperCase, config);
    await context.wait({ seconds: 1 });
    return batch.getResults();
  },
};
