import { type DurableContext, withDurableExecution } from "@aws/durable-execution-sdk-js";
import { callbacks } from "./callback.js";
import type { Cases } from "./cases.js";
import { children } from "./child.js";
import { invokes, targets } from "./invoke.js";
import { maps } from "./map.js";
import { parallels } from "./parallel.js";
import { steps } from "./step.js";
import { conditions } from "./wait-for-condition.js";
import { waitsForCallback } from "./wait-for-callback.js";
import { waits } from "./wait.js";

const PREFIX = "conf-";
const cases: Cases = {
  ...steps,
  ...waits,
  ...children,
  ...callbacks,
  ...invokes,
  ...targets,
  ...conditions,
  ...waitsForCallback,
  ...parallels,
  ...maps,
};

/** All of AWS's conformance cases, as functions named conf-1-1, conf-1-2, ... */
export const handler = withDurableExecution(async (event: unknown, context: DurableContext) => {
  const { functionName } = context.lambdaContext;
  const run = cases[functionName.replace(PREFIX, "")];
  if (run === undefined) throw new Error(`There is no conformance case for ${functionName}.`);
  return run(event as never, context);
});
