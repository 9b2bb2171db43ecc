import { contextOf, executionArnOf, type Handler, loadHandler, type Result } from "./function.js";
import { captureOutput, functionError, runAs } from "./invocation.js";
import type { Answer, Task } from "./sandbox.js";

// The process of one sandbox: `node sandbox.mjs BUNDLE`, started by the host, which sends it a task at a time.

const bundle = process.argv[2] ?? "";
let handler: Promise<Handler> | undefined;

async function run({ call, requestId, deadline }: Task): Promise<Result> {
  process.env["AWS_LAMBDA_FUNCTION_NAME"] = call.name;
  const invocation = { requestId, functionName: call.name, executionArn: executionArnOf(call.event) };
  return runAs(invocation, async () => {
    try {
      const handle = await (handler ??= loadHandler(bundle, 1));
      const answer = await handle(call.event, contextOf(call, requestId, deadline));
      return { payload: JSON.stringify(answer ?? null) };
    } catch (error) {
      return { error: functionError(error) };
    }
  });
}

function answer(result: Result, last = false): void {
  process.send?.({ result, last } satisfies Answer, undefined, undefined, () => {
    if (last) process.exit(1);
  });
}

/** As in Lambda, such an error is the invocation's answer, and the process is not used again. */
function strayError(errorType: string, error: unknown): void {
  answer({ error: { ...functionError(error), errorType } }, true);
}

process.on("unhandledRejection", (error) => strayError("Runtime.UnhandledPromiseRejection", error));
process.on("uncaughtException", (error) => strayError("Runtime.UnhandledException", error));
// The host ends it, once what is running has ended.
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => undefined);
process.once("disconnect", () => process.exit(0));
captureOutput();
process.on("message", (task: Task) => {
  void run(task).then((result) => answer(result));
});
