import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import {
  type Call,
  executionArnOf,
  exited,
  type Invoked,
  matcher,
  type Result,
  type ServedFunction,
  timedOut,
  versionOf,
} from "./function.js";
import { type Invocation, log, report, writeLine } from "./invocation.js";

/** What a sandbox's process is asked for. `deadline` is in epoch milliseconds. */
export interface Task {
  call: Call;
  requestId: string;
  deadline: number;
}

/** What it answers. After its `last` answer the process ends. */
export interface Answer {
  result: Result;
  last: boolean;
}

/** The process's script, beside the host's in the build. */
const SCRIPT = fileURLToPath(new URL("sandbox.mjs", import.meta.url));
/** How many invocations of a function run at once; more wait. Each has a process of some 50 MB. */
const CONCURRENCY = 16;
const IDLE_MS = 60_000;

/**
 * A Lambda function of somebody else: as in Lambda, each invocation has a process to itself while it runs, so that one
 * that crashes, or never yields, takes no other with it. A process that ended well is used again, until the bundle
 * changes on disk.
 */
export class SandboxedFunction implements ServedFunction {
  readonly isNamed: (name: string) => boolean;
  readonly #bundle: string;
  readonly #sandboxes = new Set<Sandbox>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(
    readonly name: string,
    bundle: string,
    private readonly timeoutSeconds: number,
  ) {
    this.isNamed = matcher(name);
    this.#bundle = resolve(bundle);
  }

  isThere(): boolean {
    return existsSync(this.#bundle);
  }

  async invoke(call: Call): Promise<Invoked> {
    if (this.#running >= CONCURRENCY) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#running += 1;
    try {
      return await this.#invoke(call);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }

  /** Ends all processes at once. */
  end(): void {
    for (const sandbox of this.#sandboxes) sandbox.end();
  }

  async #invoke(call: Call): Promise<Invoked> {
    const requestId = randomUUID();
    const invocation = {
      requestId,
      functionName: call.name,
      executionArn: executionArnOf(call.event),
    } satisfies Invocation;
    const began = performance.now();
    const result = await this.#sandbox().run(call, requestId, this.timeoutSeconds);
    if ("error" in result) log(invocation, "ERROR", result.error);
    report(invocation, began);
    return { requestId, version: versionOf(call.qualifier), result };
  }

  #sandbox(): Sandbox {
    const edited = statSync(this.#bundle, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    for (const sandbox of this.#sandboxes) {
      if (!sandbox.idle) continue;
      if (sandbox.edited === edited) return sandbox;
      sandbox.end();
    }
    const sandbox = new Sandbox(this.#bundle, edited, () => this.#sandboxes.delete(sandbox));
    this.#sandboxes.add(sandbox);
    return sandbox;
  }
}

/** A process that runs one invocation at a time. */
class Sandbox {
  readonly #child: ChildProcess;
  #answer: ((result: Result) => void) | undefined;
  #requestId = "";
  #ended = false;
  #expiry: NodeJS.Timeout | undefined;

  /** `edited` is when the bundle last changed; `onEnd` is called once the sandbox must not be used again. */
  constructor(
    bundle: string,
    readonly edited: number,
    private readonly onEnd: () => void,
  ) {
    const { stdout, stderr } = (this.#child = fork(SCRIPT, [bundle], {
      cwd: dirname(bundle),
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: [],
    }));
    for (const output of [stdout, stderr] as Readable[]) createInterface(output).on("line", writeLine);
    this.#child.on("message", ({ result, last }: Answer) => {
      if (last) this.#retire();
      this.#finish(result);
    });
    this.#child.on("error", (error) => this.#gone(error.message));
    this.#child.on("exit", (code, signal) =>
      this.#gone(signal === null ? `exit status ${code}` : `signal: ${signal}`),
    );
  }

  get idle(): boolean {
    return !this.#ended && this.#answer === undefined;
  }

  async run(call: Call, requestId: string, timeoutSeconds: number): Promise<Result> {
    clearTimeout(this.#expiry);
    this.#requestId = requestId;
    const answered = new Promise<Result>((answer) => (this.#answer = answer));
    const timeout = setTimeout(() => {
      this.end();
      this.#finish({ error: timedOut(requestId, timeoutSeconds) });
    }, timeoutSeconds * 1000);
    const task: Task = { call, requestId, deadline: Date.now() + timeoutSeconds * 1000 };
    // A process that is ending cannot be sent to; its end is the answer.
    this.#child.send(task, () => undefined);
    const result = await answered;
    clearTimeout(timeout);
    return result;
  }

  end(): void {
    this.#retire();
    this.#child.kill("SIGKILL");
  }

  #finish(result: Result): void {
    this.#answer?.(result);
    this.#answer = undefined;
    if (!this.#ended) this.#expiry = setTimeout(() => this.end(), IDLE_MS).unref();
  }

  #gone(how: string): void {
    this.#retire();
    this.#finish({ error: exited(this.#requestId, how) });
  }

  #retire(): void {
    this.#ended = true;
    clearTimeout(this.#expiry);
    this.onEnd();
  }
}
