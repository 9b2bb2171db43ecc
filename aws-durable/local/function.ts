import type { Context } from "aws-lambda";
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";
import type { FunctionError } from "./invocation.js";

export type Handler = (event: unknown, context: Context) => unknown;

/** How a function is called. */
export interface Call {
  readonly name: string;
  readonly qualifier: string | undefined;
  readonly tenantId: string | undefined;
  readonly event: unknown;
}

/** What the function returned, as JSON, or how it failed. */
export type Result = { payload: string } | { error: FunctionError };

export interface Invoked {
  requestId: string;
  version: string;
  result: Result;
}

/** A function that the host serves, under one name or under all names that a pattern stands for. */
export interface ServedFunction {
  readonly name: string;
  isNamed(name: string): boolean;
  /** Whether its bundle is on disk now: one that is just being built is not. */
  isThere(): boolean;
  invoke(call: Call): Promise<Invoked>;
}

const ACCOUNT = "000000000000";
const MEMORY_MB = "256";

/** Whether `name` is the one that `pattern` stands for; a `*` in it stands for anything. */
export function matcher(pattern: string): (name: string) => boolean {
  const regex = new RegExp(`^${pattern.replaceAll("*", ".*")}$`);
  return (name) => regex.test(name);
}

/** The handler of the bundle at `path`. The same `environment` gives the same module again. */
export async function loadHandler(path: string, environment: number): Promise<Handler> {
  const url = pathToFileURL(resolve(path)).href;
  const bundle = (await import(`${url}?environment=${environment}`)) as {
    handler?: unknown;
    default?: { handler?: unknown };
  };
  // Names that a CommonJS module exports are not always seen from outside.
  const handler = bundle.handler ?? bundle.default?.handler;
  if (typeof handler !== "function") throw new TypeError(`${path} exports no function named handler.`);
  return handler as Handler;
}

/** The second argument of a handler. `deadline` is in epoch milliseconds. */
export function contextOf(call: Call, requestId: string, deadline: number): Context {
  const { name, qualifier, tenantId } = call;
  const version = versionOf(qualifier);
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
    ...(tenantId !== undefined && { tenantId }),
  } as Context;
}

/** Locally there is one version, and the alias `live` leads to it. */
export function versionOf(qualifier: string | undefined): string {
  if (qualifier === "live") return "1";
  return qualifier !== undefined && /^\d+$/.test(qualifier) ? qualifier : "$LATEST";
}

export function executionArnOf(event: unknown): string | undefined {
  const { DurableExecutionArn: arn } = Object(event) as { DurableExecutionArn?: unknown };
  return typeof arn === "string" ? arn : undefined;
}

/** What Lambda reports when a function takes too long. */
export function timedOut(requestId: string, seconds: number): FunctionError {
  const errorMessage = `RequestId: ${requestId} Error: Task timed out after ${seconds.toFixed(2)} seconds`;
  return { errorType: "Sandbox.Timedout", errorMessage };
}

/** What Lambda reports when the process of a function ends before its answer. */
export function exited(requestId: string, how: string): FunctionError {
  const errorMessage = `RequestId: ${requestId} Error: Runtime exited with error: ${how}`;
  return { errorType: "Runtime.ExitError", errorMessage };
}
