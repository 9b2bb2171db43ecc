import { GetItemCommand, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

// Inside node_modules, so that the host finds dynalite.
const BUILD = "node_modules/.test-build";
const HANDLER = `
  import { existsSync } from "node:fs";
  let invocations = 0;
  // Common to all execution environments of the process.
  const held = (globalThis.held ??= new Map());
  const doing = {
    count: () => ++invocations,
    context: (_, context) => ({ ...context, remaining: context.getRemainingTimeInMillis() }),
    throw: () => { throw new RangeError("out of range"); },
    reject: () => { Promise.reject(new Error("nobody awaits this")); return new Promise(() => {}); },
    late: () => { setTimeout(() => { throw new Error("thrown later"); }, 1); return new Promise(() => {}); },
    exit: () => process.exit(3),
    hang: () => new Promise(() => {}),
    print: () => { console.log("plain %d", 1); console.warn("careful"); process.stdout.write('{"level":"DEBUG","message":"structured"}\\n'); },
    printAndExit: () => { console.log("last words"); process.exit(1); },
    wait: ({ key }) => new Promise((resolve) => held.set(key, resolve)),
    waitForSigterm: () => {
      console.log("waiting");
      return new Promise((resolve) => process.once("SIGTERM", () => setImmediate(resolve, "done")));
    },
    release: ({ key }) => held.get(key)?.("released") ?? "released nothing",
    env: ({ name }) => process.env[name],
    kill: () => process.kill(process.pid, "SIGKILL"),
    spin: () => { for (;;); },
    waitForFile: async ({ path }) => { while (!existsSync(path)) await new Promise((go) => setTimeout(go, 5)); return "found"; },
  };
  export const handler = async (event, context) => doing[event.do](event, context);
`;

let folder: string;
interface Host {
  process: ChildProcessByStdio<Writable, Readable, null>;
  url: string;
  port: number;
  dynamodbUrl: string;
  lines: Record<string, unknown>[];
}
const hosts: Host[] = [];

beforeAll(() => {
  execFileSync(process.execPath, ["build.mjs", BUILD], { stdio: "ignore" });
  folder = mkdtempSync(join(tmpdir(), "host-"));
  writeFileSync(join(folder, "handler.mjs"), HANDLER);
});
afterEach(async () => {
  for (const { process } of hosts.splice(0)) {
    if (process.exitCode !== null || process.signalCode !== null) continue;
    process.kill("SIGKILL");
    await once(process, "exit");
  }
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  rmSync(BUILD, { recursive: true });
});

async function start(...options: string[]): Promise<Host> {
  const data = join(folder, "data");
  const given = [
    "--port",
    "0",
    "--dynamodb-port",
    "0",
    "--data",
    data,
    "--function",
    `probe-*=${folder}/handler.mjs`,
    "--sandboxed-function",
    `own-*=${folder}/handler.mjs`,
  ];
  const child = spawn(process.execPath, [`${BUILD}/host.mjs`, ...given, ...options], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { PATH: process.env["PATH"] },
  });
  const lines: Record<string, unknown>[] = [];
  const reader = createInterface(child.stdout);
  reader.on("line", (line) => lines.push(JSON.parse(line) as Record<string, unknown>));
  await once(reader, "line");
  const { port, dynamodb_port: dynamodbPort, ready } = lines[0] as Record<string, number>;
  expect(ready).toBe(true);
  const host = {
    process: child,
    url: `http://127.0.0.1:${port}`,
    port: Number(port),
    dynamodbUrl: `http://127.0.0.1:${dynamodbPort}`,
    lines,
  };
  hosts.push(host);
  return host;
}

/** The living processes, each with its parent's number. */
function processes(): { pid: number; parent: number }[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat="]).toString();
  return table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , state]) => state !== undefined && !state.startsWith("Z"))
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }));
}

async function invoke(host: Host, event: unknown, name = "probe-1", headers: Record<string, string> = {}) {
  const response = await fetch(`${host.url}/2015-03-31/functions/${encodeURIComponent(name)}/invocations`, {
    method: "POST",
    headers,
    body: typeof event === "string" ? event : JSON.stringify(event),
  });
  return {
    status: response.status,
    error: response.headers.get("x-amz-function-error") ?? response.headers.get("x-amzn-errortype"),
    version: response.headers.get("x-amz-executed-version"),
    payload: (await response.json()) as Record<string, unknown>,
  };
}

describe("an invocation", () => {
  test.each([
    ["probe-1", "$LATEST", "probe-1"],
    ["probe-1:live", "1", "probe-1:live"],
    ["arn:aws:lambda:us-east-2:000000000000:function:probe-1:7", "7", "probe-1:7"],
  ])("of %s tells the handler how it was called", async (name, version, invoked) => {
    const host = await start();
    const answer = await invoke(host, { do: "context" }, name);
    expect(answer).toMatchObject({ status: 200, error: null, version });
    expect(answer.payload).toMatchObject({
      functionName: "probe-1",
      functionVersion: version,
      invokedFunctionArn: `arn:aws:lambda:us-east-2:000000000000:function:${invoked}`,
      awsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      memoryLimitInMB: "256",
    });
    expect(answer.payload["remaining"]).toBeGreaterThan(0);
  });

  test("has the environment of a function in the region", async () => {
    const host = await start();
    const read = async (name: string) => (await invoke(host, { do: "env", name })).payload;
    expect(await read("AWS_REGION")).toBe("us-east-2");
    expect(await read("AWS_ENDPOINT_URL_DYNAMODB")).toBe(host.dynamodbUrl);
    expect(await read("SEATS_TABLE")).toBe("reservation-seats-dev");
  });

  test.each([
    ["throw", "RangeError", "out of range"],
    ["reject", "Runtime.UnhandledPromiseRejection", "nobody awaits this"],
    ["late", "Runtime.UnhandledException", "thrown later"],
    ["exit", "Runtime.ExitError", "Runtime exited with error: exit status 3"],
  ])("that does %s fails as in Lambda, and takes no other with it", async (what, errorType, message) => {
    const host = await start();
    await invoke(host, { do: "count" });
    const other = invoke(host, { do: "wait", key: what });
    const failed = await invoke(host, { do: what });
    expect(failed).toMatchObject({ status: 200, error: "Unhandled", payload: { errorType } });
    expect(failed.payload["errorMessage"]).toContain(message);
    // Only a handler that threw keeps its execution environment.
    expect((await invoke(host, { do: "count" })).payload).toBe(what === "throw" ? 2 : 1);
    await invoke(host, { do: "release", key: what });
    expect((await other).payload).toBe("released");
  });

  test("that takes too long is given up", async () => {
    const host = await start("--timeout", "1");
    expect(await invoke(host, { do: "hang" })).toMatchObject({
      error: "Unhandled",
      payload: { errorType: "Sandbox.Timedout" },
    });
  });

  test("logs what the handler prints, as JSON lines", async () => {
    const host = await start();
    await invoke(host, { do: "print", DurableExecutionArn: "arn:1" });
    const logged = host.lines.slice(1).map(({ level, message }) => [level, message]);
    expect(logged.slice(0, 3)).toEqual([
      ["INFO", "plain 1"],
      ["WARN", "careful"],
      ["DEBUG", "structured"],
    ]);
    expect(logged[3]?.[1]).toMatch(/^REPORT RequestId: \S+ Duration: [\d.]+ ms$/);
    for (const line of host.lines.slice(1)) {
      expect(line).toMatchObject({ function: "probe-1", executionArn: "arn:1" });
      expect(line["requestId"]).toBe(host.lines[1]?.["requestId"]);
    }
  });
});

describe("an invocation of a sandboxed function", () => {
  test("tells the handler how it was called", async () => {
    const host = await start();
    const answer = await invoke(host, { do: "context" }, "own-1:live", { "x-amz-tenant-id": "t-1" });
    expect(answer).toMatchObject({ status: 200, error: null, version: "1" });
    expect(answer.payload).toMatchObject({ functionName: "own-1", functionVersion: "1", tenantId: "t-1" });
    expect((await invoke(host, { do: "env", name: "AWS_LAMBDA_FUNCTION_NAME" }, "own-2")).payload).toBe(
      "own-2",
    );
  });

  test.each([
    ["throw", "RangeError", "out of range"],
    ["reject", "Runtime.UnhandledPromiseRejection", "nobody awaits this"],
    ["late", "Runtime.UnhandledException", "thrown later"],
    ["exit", "Runtime.ExitError", "Runtime exited with error: exit status 3"],
    ["kill", "Runtime.ExitError", "Runtime exited with error: signal: SIGKILL"],
    ["spin", "Sandbox.Timedout", "Task timed out after 2.00 seconds"],
  ])("that does %s takes no other with it", async (what, errorType, message) => {
    const host = await start("--timeout", "2");
    const path = join(folder, `other-${what}`);
    const other = what === "spin" ? undefined : invoke(host, { do: "waitForFile", path }, "own-1");
    await invoke(host, { do: "count" }, "own-1");
    const failing = invoke(host, { do: what }, "own-1");
    if (what === "spin") expect((await invoke(host, { do: "count" }, "own-1")).payload).toBe(1);
    const failed = await failing;
    expect(failed).toMatchObject({ status: 200, error: "Unhandled", payload: { errorType } });
    expect(failed.payload["errorMessage"]).toContain(message);
    // Only a handler that threw keeps its execution environment.
    const count = what === "throw" || what === "spin" ? 2 : 1;
    expect((await invoke(host, { do: "count" }, "own-1")).payload).toBe(count);
    writeFileSync(path, "");
    expect((await other)?.payload).toBe(other && "found");
  });

  test("logs what the handler prints, also just before it crashes", async () => {
    const host = await start();
    await invoke(host, { do: "print", DurableExecutionArn: "arn:1" }, "own-1");
    await vi.waitUntil(() => host.lines.some(({ message }) => message === "structured"));
    for (const line of host.lines.slice(1))
      expect(line).toMatchObject({ function: "own-1", executionArn: "arn:1" });
    await invoke(host, { do: "printAndExit" }, "own-1");
    await vi.waitUntil(() => host.lines.some(({ message }) => message === "last words"));
  });

  test("runs the bundle as it is now, an ES module or CommonJS", async () => {
    const bundle = join(folder, "changing.cjs");
    const write = (text: string, seconds: number) => {
      writeFileSync(bundle, `module.exports["hand" + "ler"] = async () => ${JSON.stringify(text)};`);
      utimesSync(bundle, seconds, seconds);
    };
    write("before", 1);
    const host = await start("--sandboxed-function", `changing=${bundle}`);
    expect((await invoke(host, {}, "changing")).payload).toBe("before");
    write("after", 2);
    expect((await invoke(host, {}, "changing")).payload).toBe("after");
  });

  test("of a bundle without a handler says so", async () => {
    const bundle = join(folder, "empty.mjs");
    writeFileSync(bundle, "export const other = 1;");
    const host = await start("--sandboxed-function", `empty=${bundle}`);
    const empty = await invoke(host, {}, "empty");
    expect(empty).toMatchObject({ error: "Unhandled", payload: { errorType: "TypeError" } });
    expect(empty.payload["errorMessage"]).toContain("exports no function named handler");
  });

  test("without its bundle is of no function, until the bundle is there again", async () => {
    const bundle = join(folder, "rebuilt.mjs");
    const host = await start("--sandboxed-function", `rebuilt=${bundle}`);
    const missing = { status: 404, error: "ResourceNotFoundException" };
    const build = () => writeFileSync(bundle, "export const handler = async () => 7;");
    expect(await invoke(host, {}, "rebuilt")).toMatchObject(missing);
    build();
    expect((await invoke(host, {}, "rebuilt")).payload).toBe(7);
    // Its process still runs, with the code of a bundle that is gone.
    rmSync(bundle);
    expect(await invoke(host, {}, "rebuilt")).toMatchObject(missing);
    build();
    expect((await invoke(host, {}, "rebuilt")).payload).toBe(7);
  });

  test("goes to the name before a pattern", async () => {
    const bundle = join(folder, "named.mjs");
    writeFileSync(bundle, 'export const handler = () => "by name";');
    const host = await start("--sandboxed-function", `own-named=${bundle}`);
    expect((await invoke(host, {}, "own-named")).payload).toBe("by name");
  });

  test("may come in crowds: more than there are processes wait their turn", async () => {
    const host = await start();
    const crowd = await Promise.all(Array.from({ length: 40 }, () => invoke(host, { do: "count" }, "own-1")));
    const counts = crowd.map(({ payload }) => Number(payload));
    expect(counts.filter((count) => count === 1).length).toBeLessThanOrEqual(16);
    expect(Math.max(...counts)).toBeGreaterThan(1);
  });

  test("ends with the host, even one that never yields", async () => {
    const host = await start();
    await invoke(host, { do: "count" }, "own-1");
    const spinning = invoke(host, { do: "spin" }, "own-1").catch(() => undefined);
    const children = () => processes().filter(({ parent }) => parent === host.process.pid);
    const pids = (await vi.waitUntil(() => children().length > 0 && children())).map(({ pid }) => pid);
    const exit = once(host.process, "exit");
    host.process.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
    await spinning;
    await vi.waitUntil(() => !processes().some(({ pid }) => pids.includes(pid)));
  });
});

describe("the host", () => {
  test("tells its health, and what it can't serve", async () => {
    const host = await start();
    expect(await (await fetch(`${host.url}/health`)).json()).toEqual({
      ok: true,
      pid: host.process.pid,
      functions: ["probe-*", "own-*"],
    });
    expect(await invoke(host, {}, "other")).toMatchObject({
      status: 404,
      error: "ResourceNotFoundException",
    });
    expect(await invoke(host, "{")).toMatchObject({ status: 400, error: "InvalidRequestContentException" });
  });

  test("takes all that the engine sends, and no more", async () => {
    const host = await start();
    const large = { do: "count", filling: "x".repeat(16 * 1024 * 1024) };
    expect(await invoke(host, large)).toMatchObject({ status: 200, error: null });
    const url = `${host.url}/2015-03-31/functions/probe-1/invocations`;
    const call = httpRequest(url, { method: "POST", headers: { "content-length": 2 ** 30 } });
    call.on("error", () => undefined).flushHeaders();
    const [response] = (await once(call, "response")) as [{ statusCode: number; resume: () => void }];
    response.resume();
    call.destroy();
    expect(response.statusCode).toBe(413);
  });

  test.each([
    { host: "evil.example" },
    { host: "0.0.0.0" },
    { host: "[::1]" },
    { host: "127.0.0.1", origin: "https://evil.example" },
    { host: "127.0.0.1", origin: "null" },
    { host: "127.0.0.1", "sec-fetch-site": "cross-site" },
  ])("refuses web pages: %j", async (headers) => {
    const host = await start();
    for (const url of [`${host.url}/health`, host.dynamodbUrl]) {
      const call = httpRequest(url, { headers }).end();
      const [response] = (await once(call, "response")) as [{ statusCode: number; resume: () => void }];
      response.resume();
      expect(response.statusCode).toBe(403);
    }
  });

  test("keeps the seats table through a kill", async () => {
    const credentials = { accessKeyId: "test", secretAccessKey: "test" };
    const [TableName, key] = ["reservation-seats-dev", { pk: { S: "seat#A1" } }];
    const first = await start();
    const before = new DynamoDBClient({ endpoint: first.dynamodbUrl, region: "us-east-2", credentials });
    await before.send(new PutItemCommand({ TableName, Item: { ...key, note: { S: "kept" } } }));
    before.destroy();
    first.process.kill("SIGKILL");
    await once(first.process, "exit");

    const second = await start();
    const after = new DynamoDBClient({ endpoint: second.dynamodbUrl, region: "us-east-2", credentials });
    const { Item } = await after.send(new GetItemCommand({ TableName, Key: key }));
    after.destroy();
    expect(Item?.["note"]).toEqual({ S: "kept" });
  });

  test("lets running invocations end before it does", async () => {
    const host = await start();
    const waiting = invoke(host, { do: "waitForSigterm" });
    await vi.waitUntil(() => host.lines.some(({ message }) => message === "waiting"));
    const exit = once(host.process, "exit");
    host.process.kill("SIGTERM");
    expect((await waiting).payload).toBe("done");
    expect(await exit).toEqual([0, null]);
  });

  test("ends when its parent does, if told so", async () => {
    const host = await start("--exit-with-parent");
    const exit = once(host.process, "exit");
    host.process.stdin.end();
    expect(await exit).toEqual([0, null]);
  });

  test("explains its options", async () => {
    const child = spawn(process.execPath, [`${BUILD}/host.mjs`, "--port", "x"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    expect(await once(child, "close")).toEqual([2, null]);
    expect(said).toContain("Usage: node host.mjs");
  });
});
