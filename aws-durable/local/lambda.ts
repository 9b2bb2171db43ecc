import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { ServedFunction } from "./function.js";

const INVOCATIONS = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;
const FUNCTION = /^(?:arn:aws:lambda:[^:]+:\d+:function:)?([A-Za-z0-9_-]+)(?::([A-Za-z0-9_$-]+))?$/;
/**
 * More than the engine ever sends. It keeps its callers to Lambda's 6 MiB; to a handler it passes that input and 5 MiB of
 * checkpoints, in JSON of ASCII, where a byte of UTF-8 becomes up to six.
 */
const MAX_PAYLOAD_BYTES = 128 * 1024 * 1024;

/** A refusal by Lambda itself, in its own words. */
class ServiceError extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
  ) {
    super(message);
  }
}

/** Lambda's Invoke (RequestResponse), plus `GET /health`. */
export function lambdaServer(functions: readonly ServedFunction[]): Server {
  return createServer((request, response) => {
    route(functions, request, response).catch((error: unknown) => {
      const { status, type, message } =
        error instanceof ServiceError ? error : new ServiceError(500, "ServiceException", String(error));
      if (status === 500) console.error(error);
      const body = { Type: status < 500 ? "User" : "Service", Message: message, message };
      // An unread rest of the request must not be taken for the next one.
      send(response, status, JSON.stringify(body), { "x-amzn-errortype": type, connection: "close" });
    });
  });
}

async function route(
  functions: readonly ServedFunction[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = URL.parse(request.url ?? "/", "http://127.0.0.1");
  if (!url) throw new ServiceError(400, "InvalidRequestContentException", `No path: ${request.url}`);
  const { pathname, searchParams } = url;
  if (request.method === "GET" && pathname === "/health") {
    const health = { ok: true, pid: process.pid, functions: functions.map(({ name }) => name) };
    return send(response, 200, JSON.stringify(health));
  }
  const path = INVOCATIONS.exec(pathname)?.[1];
  if (request.method !== "POST" || path === undefined) {
    throw new ServiceError(404, "UnknownOperationException", `There is no ${request.method} ${pathname}.`);
  }
  const invocationType = request.headers["x-amz-invocation-type"] ?? "RequestResponse";
  if (invocationType !== "RequestResponse") {
    throw new ServiceError(
      400,
      "InvalidParameterValueException",
      `No invocation type ${String(invocationType)} here.`,
    );
  }
  const identifier = decoded(path);
  const [, name, ownQualifier] = FUNCTION.exec(identifier) ?? [];
  const found = name === undefined ? undefined : functions.find((candidate) => candidate.isNamed(name));
  if (!found?.isThere() || name === undefined) {
    throw new ServiceError(404, "ResourceNotFoundException", `Function not found: ${identifier}`);
  }
  const qualifier = ownQualifier ?? searchParams.get("Qualifier") ?? undefined;
  const tenant = request.headers["x-amz-tenant-id"];
  const tenantId = typeof tenant === "string" ? tenant : undefined;
  const event = await readPayload(request);
  const { requestId, version, result } = await found.invoke({ name, qualifier, tenantId, event });
  const headers = { "x-amzn-requestid": requestId, "x-amz-executed-version": version };
  if ("payload" in result) return send(response, 200, result.payload, headers);
  send(response, 200, JSON.stringify(result.error), { ...headers, "x-amz-function-error": "Unhandled" });
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new ServiceError(400, "InvalidParameterValueException", `Not percent-encoded: ${segment}`);
  }
}

async function readPayload(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  refuseTooLarge(Number(request.headers["content-length"]));
  for await (const chunk of request as AsyncIterable<Buffer>) {
    refuseTooLarge((size += chunk.length));
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  try {
    return JSON.parse(text === "" ? "{}" : text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ServiceError(
      400,
      "InvalidRequestContentException",
      `Could not parse request body into json: ${error.message}`,
    );
  }
}

function refuseTooLarge(bytes: number): void {
  if (bytes > MAX_PAYLOAD_BYTES) {
    const message = `Request must be smaller than ${MAX_PAYLOAD_BYTES} bytes`;
    throw new ServiceError(413, "RequestTooLargeException", message);
  }
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(body);
}
