import { AsyncLocalStorage } from "node:async_hooks";
import { performance } from "node:perf_hooks";
import { formatWithOptions } from "node:util";
import { exited } from "./function.js";

/** What Lambda answers for an invocation that failed. */
export interface FunctionError {
  errorType: string;
  errorMessage: string;
  trace?: string[];
}

/** One run of a handler. */
export interface Invocation {
  readonly requestId: string;
  readonly functionName: string;
  readonly executionArn: string | undefined;
  /** In the host's own process: how it fails from outside the handler's promise, by a rejection that nobody awaits. */
  readonly fail?: (error: FunctionError) => void;
}

type Write = typeof process.stdout.write;

const running = new AsyncLocalStorage<Invocation>();
const writeToStdout = process.stdout.write.bind(process.stdout);

export function runAs<T>(invocation: Invocation, body: () => T): T {
  return running.run(invocation, body);
}

/** Writes one log line, as JSON: that of a handler, or what Lambda itself reports about an invocation. */
export function log(invocation: Invocation, level: string, message: unknown): void {
  const { functionName, requestId, executionArn } = invocation;
  const time = new Date().toISOString();
  writeLine(JSON.stringify({ time, function: functionName, requestId, level, message, executionArn }));
}

/** Writes a line that is not to be captured. */
export function writeLine(line: string): void {
  writeToStdout(`${line}\n`);
}

/** Writes Lambda's last line of an invocation; `began` is of `performance.now()`. */
export function report(invocation: Invocation, began: number): void {
  const duration = (performance.now() - began).toFixed(2);
  log(invocation, "INFO", `REPORT RequestId: ${invocation.requestId} Duration: ${duration} ms`);
}

/** From now on, what a handler prints becomes log lines. */
export function captureOutput(): void {
  const levels = { debug: "DEBUG", log: "INFO", info: "INFO", warn: "WARN", error: "ERROR" } as const;
  for (const method of Object.keys(levels) as (keyof typeof levels)[]) {
    const print = console[method].bind(console);
    console[method] = (...values: unknown[]) => {
      const invocation = running.getStore();
      if (invocation) log(invocation, levels[method], formatWithOptions({ colors: false }, ...values));
      else print(...values);
    };
  }
  // The durable execution SDK's logger has a console of its own, and writes each line as JSON.
  process.stdout.write = capture(process.stdout.write.bind(process.stdout), "INFO");
  process.stderr.write = capture(process.stderr.write.bind(process.stderr), "ERROR");
}

/**
 * From now on, an error that nobody awaits and a call of `process.exit` end the invocation they come from, not
 * the process: in Lambda, too, the other invocations go on. An error of the host itself still ends it.
 */
export function failOnStrayErrors(): void {
  const strayError = (errorType: string, error: unknown) => {
    const invocation = running.getStore();
    if (invocation?.fail) {
      invocation.fail({ ...functionError(error), errorType });
    } else {
      console.error(error);
      exit(1);
    }
  };
  process.on("unhandledRejection", (error) => strayError("Runtime.UnhandledPromiseRejection", error));
  process.on("uncaughtException", (error) => strayError("Runtime.UnhandledException", error));

  const exit = process.exit.bind(process);
  process.exit = (code) => {
    const invocation = running.getStore();
    if (!invocation?.fail) return exit(code);
    const error = exited(invocation.requestId, `exit status ${code ?? process.exitCode ?? 0}`);
    invocation.fail(error);
    throw new Error(error.errorMessage);
  };
}

export function functionError(error: unknown): FunctionError {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return { errorType: error.name, errorMessage: error.message, trace: error.stack?.split("\n") ?? [] };
}

function capture(write: Write, level: string): Write {
  return ((chunk: string | Uint8Array, ...rest: unknown[]) => {
    const invocation = running.getStore();
    if (!invocation) return (write as (...values: unknown[]) => boolean)(chunk, ...rest);
    const text = typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    for (const line of text.split("\n").filter((line) => line !== "")) {
      const record = structuredRecord(line);
      log(invocation, record?.level ?? level, record?.message ?? line);
    }
    const done = rest.at(-1);
    if (typeof done === "function") process.nextTick(done);
    return true;
  }) as Write;
}

function structuredRecord(line: string): { level: string; message: unknown } | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const record = JSON.parse(line) as { level?: unknown; message?: unknown };
    return typeof record.level === "string" ? { level: record.level, message: record.message } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
