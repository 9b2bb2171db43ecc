import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { close, listen } from "../local/listen.js";
import { Seats } from "../src/seats.js";
import { request, TABLE } from "./dynamodb.js";

let seats: Seats;
let call: (typeof import("../src/seats-api.js"))["handler"];

/** Lambda's endpoint, as far as callbacks need it. */
const signals: { path: string; body: string }[] = [];
let answer = { status: 200, type: "" };
const lambda = createServer((incoming, response) => {
  let body = "";
  incoming.on("data", (chunk: Buffer) => (body += chunk.toString()));
  incoming.on("end", () => {
    signals.push({ path: decodeURIComponent(incoming.url ?? ""), body });
    response.writeHead(answer.status, {
      "content-type": "application/json",
      "x-amzn-errortype": answer.type,
    });
    response.end(JSON.stringify({ message: answer.type }));
  });
});

beforeAll(async () => {
  vi.stubEnv("SEATS_TABLE", TABLE);
  vi.stubEnv("AWS_REGION", "us-east-2");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  vi.stubEnv("AWS_ENDPOINT_URL_DYNAMODB", inject("dynamodbEndpoint"));
  vi.stubEnv("AWS_ENDPOINT_URL_LAMBDA", `http://127.0.0.1:${await listen(lambda, 0)}`);
  seats = Seats.fromEnvironment();
  ({ handler: call } = await import("../src/seats-api.js"));
});
afterAll(async () => {
  lambda.closeAllConnections();
  await close(lambda);
});
beforeEach(() => {
  signals.length = 0;
  answer = { status: 200, type: "" };
});

function hold(strategy: "sleep" | "event" = "sleep", callbackId?: string) {
  return seats.hold(request({ reservationId: randomUUID(), seatId: randomUUID(), strategy }), callbackId);
}

describe("get", () => {
  test("gives the reservation", async () => {
    const reservation = await hold();
    const { reservationId } = reservation;
    expect(await call({ action: "get", reservationId })).toEqual({ ok: true, reservation });
  });

  test("of an unknown one says so", async () => {
    expect(await call({ action: "get", reservationId: "nobody" })).toEqual({
      ok: false,
      code: "reservation_not_found",
      error: "There is no reservation nobody.",
    });
  });
});

describe("confirm and cancel", () => {
  test.each(["confirm", "cancel"] as const)("%s is decided by the seat, and repeatable", async (action) => {
    const { reservationId } = await hold();
    const first = await call({ action, reservationId });
    expect(first).toMatchObject({
      ok: true,
      reservation: { reservationId, status: `${action}${action === "cancel" ? "l" : ""}ed` },
    });
    expect(await call({ action, reservationId })).toEqual(first);
    expect(signals).toEqual([]);
  });

  test.each(["confirm", "cancel"] as const)("%s wakes a workflow that waits for it", async (action) => {
    const { reservationId } = await hold("event", "callback-1");
    expect(await call({ action, reservationId })).toMatchObject({ ok: true });
    expect(signals).toEqual([
      { path: "/2025-12-01/durable-execution-callbacks/callback-1/succeed", body: `{"action":"${action}"}` },
    ]);
  });

  test.each([
    [400, "CallbackTimeoutException", 0],
    [403, "AccessDeniedException", 1],
  ])("a wake that fails with %i %s changes nothing", async (status, type, warnings) => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    const { reservationId } = await hold("event", "callback-1");
    answer = { status, type };
    expect(await call({ action: "confirm", reservationId })).toMatchObject({ ok: true });
    expect(await seats.get(reservationId)).toMatchObject({ status: "confirmed" });
    expect(warn).toHaveBeenCalledTimes(warnings);
    warn.mockRestore();
  });

  test.each([
    ["cancel", "confirm", "already_confirmed"],
    ["confirm", "cancel", "already_cancelled"],
    ["confirm", "expire", "too_late"],
    ["cancel", "expire", "too_late"],
  ] as const)("%s after %s is %s, and wakes nobody", async (action, before, code) => {
    const { reservationId } = await hold("event", "callback-1");
    const reservation = await seats[before](reservationId);
    expect(await call({ action, reservationId })).toMatchObject({ ok: false, code, reservation });
    expect(signals).toEqual([]);
  });

  test("a rejected reservation stays rejected", async () => {
    const { seatId } = await hold();
    const { reservationId } = await seats.hold(request({ reservationId: randomUUID(), seatId }));
    for (const action of ["confirm", "cancel"]) {
      expect(await call({ action, reservationId })).toMatchObject({ ok: false, code: "rejected" });
    }
  });
});

test.each([
  [{}, "action"],
  [null, "action"],
  [{ action: "expire", reservationId: "r" }, "action"],
  [{ action: "get" }, "reservationId"],
  [{ action: "get", reservationId: "-r" }, "reservationId"],
  [{ action: "get", reservationId: 1 }, "reservationId"],
])("refuses %j", async (event, field) => {
  expect(await call(event)).toMatchObject({
    ok: false,
    code: "invalid_request",
    fields: { [field]: expect.any(String) as string },
  });
});
