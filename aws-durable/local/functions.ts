import type { Context } from "aws-lambda";
import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { performance } from "node:perf_hooks";
import { pathToFileURL } from "node:url";
import { type FunctionError, functionError, type Invocation, log, runAs } from "./invocation.js";

type Handler = (event: unknown, context: Context) => unknown;

/** What the function returned, as JSON, or how it failed. */
type Result = { payload: string } | { error: FunctionError };

export interface Invoked {
  requestId: string;
  version: string;
  result: Result;
}

const ACCOUNT = "000000000000";
const MEMORY_MB = "256";

/** A Lambda function whose code is a bundle on disk. */
export class LocalFunction {
  readonly #name: RegExp;
  readonly #bundle: string;
  #environments = 0;
  #handler: Promise<Handler> | undefined;

  /** The name has letters, digits, hyphens and underscores; a `*` in it stands for anything. */
  constructor(
    readonly name: string,
    bundle: string,
    private readonly timeoutSeconds: number,
  ) {
    this.#name = new RegExp(`^${name.replaceAll("*", ".*")}$`);
    this.#bundle = pathToFileURL(resolve(bundle)).href;
  }

  isNamed(name: string): boolean {
    return this.#name.test(name);
  }

  /** Loads the handler, unless the execution environment has it already. */
  load(): Promise<Handler> {
    this.#handler ??= this.#import();
    return this.#handler;
  }

  async invoke(name: string, qualifier: string | undefined, event: unknown): Promise<Invoked> {
    const requestId = randomUUID();
    const version = versionOf(qualifier);
    const failure = Promise.withResolvers<Result>();
    const invocation: Invocation = {
      requestId,
      functionName: name,
      executionArn: executionArnOf(event),
      fail: (error) => {
        // Lambda goes on with a new execution environment.
        this.#handler = undefined;
        failure.resolve({ error });
      },
    };
    const timeout = setTimeout(() => {
      const errorMessage = `RequestId: ${requestId} Error: Task timed out after ${this.timeoutSeconds.toFixed(2)} seconds`;
      invocation.fail({ errorType: "Sandbox.Timedout", errorMessage });
    }, this.timeoutSeconds * 1000);

    const context = this.#context(requestId, name, qualifier, version);
    const began = performance.now();
    const completed = runAs(invocation, () => this.#run(event, context));
    const result = await Promise.race([completed, failure.promise]);
    clearTimeout(timeout);
    if ("error" in result) log(invocation, "ERROR", result.error);
    const duration = (performance.now() - began).toFixed(2);
    log(invocation, "INFO", `REPORT RequestId: ${requestId} Duration: ${duration} ms`);
    return { requestId, version, result };
  }

  async #run(event: unknown, context: Context): Promise<Result> {
    try {
      const handler = await this.load();
      return { payload: JSON.stringify((await handler(event, context)) ?? null) };
    } catch (error) {
      return { error: functionError(error) };
    }
  }

  async #import(): Promise<Handler> {
    this.#environments += 1;
    const { handler } = (await import(`${this.#bundle}?environment=${this.#environments}`)) as {
      handler?: unknown;
    };
    if (typeof handler !== "function")
      throw new TypeError(`${this.#bundle} exports no function named handler.`);
    return handler as Handler;
  }

  #context(requestId: string, name: string, qualifier: string | undefined, version: string): Context {
    const deadline = Date.now() + this.timeoutSeconds * 1000;
    const suffix = qualifier === undefined ? "" : `:${qualifier}`;
    return {
      awsRequestId: requestId,
      callbackWaitsForEmptyEventLoop: true,
      functionName: name,
      functionVersion: version,
      getRemainingTimeInMillis: () => Math.max(deadline - Date.now(), 0),
      invokedFunctionArn: `arn:aws:lambda:${process.env["AWS_REGION"]}:${ACCOUNT}:function:${name}${suffix}`,
      logGroupName: `/aws/lambda/${name}`,
      logStreamName: `local/[${version}]`,
      memoryLimitInMB: MEMORY_MB,
    } as Context;
  }
}

/** Locally there is one version, and the alias `live` leads to it. */
function versionOf(qualifier: string | undefined): string {
  if (qualifier === "live") return "1";
  return qualifier !== undefined && /^\d+$/.test(qualifier) ? qualifier : "$LATEST";
}

function executionArnOf(event: unknown): string | undefined {
  const { DurableExecutionArn: arn } = Object(event) as { DurableExecutionArn?: unknown };
  return typeof arn === "string" ? arn : undefined;
}
