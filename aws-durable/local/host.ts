import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureTable, startDynamodb } from "./dynamodb.js";
import { forgetHourly } from "./forget.js";
import type { ServedFunction } from "./function.js";
import { LocalFunction } from "./functions.js";
import { captureOutput, failOnStrayErrors } from "./invocation.js";
import { lambdaServer } from "./lambda.js";
import { close, listen } from "./listen.js";
import { SandboxedFunction } from "./sandbox.js";

const USAGE = `Usage: node host.mjs --port PORT --dynamodb-port PORT --data FOLDER --function NAME=BUNDLE ...
                     [--sandboxed-function NAME=BUNDLE ...] [--timeout SECONDS] [--exit-with-parent]

Runs Lambda functions, and DynamoDB's stand-in for them, on 127.0.0.1. Port 0 is any free one.
A * in NAME stands for anything. A sandboxed function runs in processes of its own, and may crash.
With --exit-with-parent the host ends when its standard input does.`;

/** How long running invocations may take to end at a shutdown. */
const DRAIN_MS = 3_000;

function readOptions() {
  const { values } = parseArgs({
    options: {
      port: { type: "string" },
      "dynamodb-port": { type: "string" },
      data: { type: "string" },
      function: { type: "string", multiple: true, default: [] },
      "sandboxed-function": { type: "string", multiple: true, default: [] },
      timeout: { type: "string", default: "30" },
      "exit-with-parent": { type: "boolean", default: false },
    },
  });
  const timeout = whole(values.timeout, 1, 900, "--timeout");
  const functions = values.function.map((pair) => new LocalFunction(...nameAndBundle(pair), timeout));
  const sandboxed = values["sandboxed-function"].map(
    (pair) => new SandboxedFunction(...nameAndBundle(pair), timeout),
  );
  if (functions.length === 0) throw new TypeError("At least one --function is needed.");
  if (values.data === undefined) throw new TypeError("--data is needed.");
  return {
    port: whole(values.port, 0, 65_535, "--port"),
    dynamodbPort: whole(values["dynamodb-port"], 0, 65_535, "--dynamodb-port"),
    data: values.data,
    functions,
    sandboxed,
    exitWithParent: values["exit-with-parent"],
  };
}

function nameAndBundle(pair: string): [name: string, bundle: string] {
  const [, name, bundle] = /^([\w*-]+)=(.+)$/.exec(pair) ?? [];
  if (name !== undefined && bundle !== undefined) return [name, bundle];
  throw new TypeError(`--function and --sandboxed-function take NAME=BUNDLE, not ${pair}.`);
}

function whole(text: string | undefined, min: number, max: number, option: string): number {
  const value = Number(text || NaN);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new TypeError(`${option} takes a whole number from ${min} to ${max}.`);
}

/** A name goes before a pattern, and an earlier pattern before a later one. */
function byPrecedence(functions: readonly ServedFunction[]): ServedFunction[] {
  return functions.toSorted((a, b) => Number(a.name.includes("*")) - Number(b.name.includes("*")));
}

async function main(options: ReturnType<typeof readOptions>): Promise<void> {
  const { env } = process;
  env["AWS_REGION"] ??= "us-east-2";
  env["AWS_ACCESS_KEY_ID"] ??= "local";
  env["AWS_SECRET_ACCESS_KEY"] ??= "local";
  const table = (env["SEATS_TABLE"] ??= "reservation-seats-dev");

  const path = join(options.data, "dynamodb");
  mkdirSync(path, { recursive: true });
  const dynamodb = await startDynamodb(options.dynamodbPort, path);
  env["AWS_ENDPOINT_URL_DYNAMODB"] = `http://127.0.0.1:${dynamodb.port}`;
  const client = new DynamoDBClient();
  await ensureTable(client, table);
  forgetHourly(client, table);

  captureOutput();
  failOnStrayErrors();
  await Promise.all(options.functions.map((candidate) => candidate.load()));
  const lambda = lambdaServer(byPrecedence([...options.functions, ...options.sandboxed]));
  const port = await listen(lambda, options.port);

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    // A caller keeps its connection open after the answer.
    const sweep = setInterval(() => lambda.closeIdleConnections(), 20);
    const drain = setTimeout(() => lambda.closeAllConnections(), DRAIN_MS);
    await close(lambda);
    clearInterval(sweep);
    clearTimeout(drain);
    for (const each of options.sandboxed) each.end();
    // Handlers keep connections to it open for later use.
    dynamodb.server.closeAllConnections();
    await close(dynamodb.server);
    process.exit(0);
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  if (options.exitWithParent) process.stdin.once("close", stop).resume();
  console.log(JSON.stringify({ ready: true, port, dynamodb_port: dynamodb.port }));
}

function readOptionsOrExit() {
  try {
    return readOptions();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}

await main(readOptionsOrExit());
