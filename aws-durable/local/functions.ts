import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import {
  type Call,
  contextOf,
  executionArnOf,
  type Handler,
  type Invoked,
  loadHandler,
  matcher,
  type Result,
  type ServedFunction,
  timedOut,
  versionOf,
} from "./function.js";
import { type FunctionError, functionError, type Invocation, log, report, runAs } from "./invocation.js";

/** A Lambda function whose code, a bundle on disk, runs in the host's own process. */
export class LocalFunction implements ServedFunction {
  readonly isNamed: (name: string) => boolean;
  #environments = 0;
  #handler: Promise<Handler> | undefined;

  /** The name has letters, digits, hyphens and underscores; a `*` in it stands for anything. */
  constructor(
    readonly name: string,
    private readonly bundle: string,
    private readonly timeoutSeconds: number,
  ) {
    this.isNamed = matcher(name);
  }

  /** Always: it is loaded before the host serves. */
  isThere(): boolean {
    return true;
  }

  /** Loads the handler, unless the execution environment has it already. */
  load(): Promise<Handler> {
    this.#handler ??= loadHandler(this.bundle, (this.#environments += 1));
    return this.#handler;
  }

  async invoke(call: Call): Promise<Invoked> {
    const requestId = randomUUID();
    const failure = Promise.withResolvers<Result>();
    const invocation = {
      requestId,
      functionName: call.name,
      executionArn: executionArnOf(call.event),
      fail: (error: FunctionError) => {
        // Lambda goes on with a new execution environment.
        this.#handler = undefined;
        failure.resolve({ error });
      },
    } satisfies Invocation;
    const timeout = setTimeout(
      () => invocation.fail(timedOut(requestId, this.timeoutSeconds)),
      this.timeoutSeconds * 1000,
    );
    const began = performance.now();
    const completed = runAs(invocation, () => this.#run(call, requestId));
    const result = await Promise.race([completed, failure.promise]);
    clearTimeout(timeout);
    if ("error" in result) log(invocation, "ERROR", result.error);
    report(invocation, began);
    return { requestId, version: versionOf(call.qualifier), result };
  }

  async #run(call: Call, requestId: string): Promise<Result> {
    const context = contextOf(call, requestId, Date.now() + this.timeoutSeconds * 1000);
    try {
      const handler = await this.load();
      return { payload: JSON.stringify((await handler(call.event, context)) ?? null) };
    } catch (error) {
      return { error: functionError(error) };
    }
  }
}
