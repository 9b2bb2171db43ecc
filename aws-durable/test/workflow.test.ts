import { LocalDurableTestRunner, WaitingOperationStatus } from "@aws/durable-execution-sdk-js-testing";
import { randomUUID } from "node:crypto";
import { afterEach, beforeAll, describe, expect, inject, test, vi } from "vitest";
import type { ReservationOutput } from "../src/reservation.js";
import { Seats } from "../src/seats.js";
import { request, TABLE } from "./dynamodb.js";

let seats: Seats;
let handler: (typeof import("../src/handler.js"))["handler"];

beforeAll(async () => {
  vi.stubEnv("SEATS_TABLE", TABLE);
  vi.stubEnv("AWS_REGION", "us-east-2");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  vi.stubEnv("AWS_ENDPOINT_URL_DYNAMODB", inject("dynamodbEndpoint"));
  seats = Seats.fromEnvironment();
  ({ handler } = await import("../src/handler.js"));
});
afterEach(() => {
  vi.restoreAllMocks();
});

type Runner = LocalDurableTestRunner<ReservationOutput>;
type Execution = Awaited<ReturnType<Runner["run"]>>;

/** Runs the workflow without waiting; `meanwhile` is what happens during its wait. */
async function run(payload: unknown, meanwhile?: (runner: Runner) => Promise<void>): Promise<Execution> {
  // Within the test: with the clock replaced around it, vitest waits for ever.
  await LocalDurableTestRunner.setupTestEnvironment({ skipTime: true });
  try {
    const runner: Runner = new LocalDurableTestRunner({ handlerFunction: handler });
    const [execution] = await Promise.all([runner.run({ payload }), meanwhile?.(runner)]);
    return execution;
  } finally {
    await LocalDurableTestRunner.teardownTestEnvironment();
  }
}

const clock = { began: expect.any(Number) as number, ended: expect.any(Number) as number };
const operations = (execution: Execution) =>
  execution.getOperations().map((operation) => operation.getName());
const held = (seat: string) =>
  request({ reservationId: randomUUID(), seatId: `${seat} ${randomUUID()}`.slice(0, 40), holdSeconds: 900 });

describe("strategy sleep", () => {
  test("holds, waits for the whole hold, and expires", async () => {
    const wanted = held("A1");
    const execution = await run(wanted);
    const reservation = await seats.get(wanted.reservationId);
    expect(reservation).toMatchObject({ ...wanted, status: "expired" });
    expect(execution.getResult()).toEqual({
      message: `The hold on seat ${wanted.seatId} expired.`,
      reservation,
      clock: { "create-hold": clock, finalize: clock },
    });
    expect(operations(execution)).toEqual(["create-hold", "hold-window", "finalize"]);
    expect(execution.getOperations()[1]?.getWaitDetails()?.waitSeconds).toBe(900);
  });

  test("a confirmation during the sleep stands", async () => {
    const wanted = held("A1");
    const execution = await run(wanted, async (runner) => {
      await runner.getOperation("create-hold").waitForData(WaitingOperationStatus.COMPLETED);
      await seats.confirm(wanted.reservationId);
    });
    expect(execution.getResult()).toMatchObject({
      message: `Seat ${wanted.seatId} is confirmed for user123.`,
      reservation: { status: "confirmed" },
    });
  });

  test("a bare request gets the defaults, and the execution's name as its id", async () => {
    const { seatId } = held("A1");
    const execution = await run({ seatId, userId: "user123", note: "ignored" });
    const { reservation } = execution.getResult() ?? {};
    expect(reservation).toMatchObject({ seatId, userId: "user123", holdSeconds: 900, strategy: "sleep" });
    expect(reservation?.reservationId).toMatch(/^[0-9a-f-]{36}$/);
    expect(await seats.get(reservation?.reservationId ?? "")).toEqual(reservation);
  });

  test("a taken seat rejects at once, and tells until when it is held", async () => {
    const holder = await seats.hold(held("A1"));
    const wanted = { ...held("A1"), seatId: holder.seatId };
    const execution = await run(wanted);
    expect(execution.getResult()).toEqual({
      message: `Seat ${holder.seatId} is taken.`,
      reservation: expect.objectContaining({ status: "rejected", heldUntil: holder.expiresAt }) as unknown,
      clock: { "create-hold": clock },
    });
    expect(operations(execution)).toEqual(["create-hold"]);
  });

  test("a second execution of the same reservation finds the first one's outcome", async () => {
    const wanted = held("A1");
    const first = await run(wanted);
    const second = await run(wanted);
    expect(second.getResult()?.reservation).toEqual(first.getResult()?.reservation);
  });
});

describe("strategy event", () => {
  const event = () => ({ ...held("A1"), strategy: "event" as const });
  const waiting = async (runner: Runner) => {
    await runner.getOperation("create-hold").waitForData(WaitingOperationStatus.COMPLETED);
    return runner.getOperation("await-confirmation").waitForData(WaitingOperationStatus.STARTED);
  };

  test.each([
    ['{"action":"confirm"}', "confirmed"],
    ['{"action":"cancel"}', "cancelled"],
    ["", "confirmed"],
    ["null", "confirmed"],
    ["paid", "confirmed"],
  ])("the signal %j ends in %s", async (payload, status) => {
    const wanted = event();
    const execution = await run(wanted, async (runner) => {
      await (await waiting(runner)).sendCallbackSuccess(payload);
    });
    expect(execution.getResult()?.reservation).toMatchObject({ ...wanted, status });
    expect(await seats.get(wanted.reservationId)).toEqual(execution.getResult()?.reservation);
    expect(operations(execution)).toEqual(["await-confirmation", "create-hold", "finalize"]);
  });

  test("no signal within the hold ends in expired", async () => {
    // The test runner skips waits and retries, but not the timeout of a callback.
    const wanted = { ...event(), holdSeconds: 1 };
    const execution = await run(wanted);
    expect(execution.getResult()?.reservation).toMatchObject({ status: "expired" });
    expect(await seats.confirm(wanted.reservationId)).toMatchObject({ status: "expired" });
  });

  test("a hold that was slow to be made lasts to its end, though its callback has timed out before", async () => {
    const wanted = { ...event(), holdSeconds: 1 };
    const hold = Seats.prototype.hold;
    vi.spyOn(Seats.prototype, "hold").mockImplementationOnce(async function (this: Seats, ...call) {
      const begun = Date.now();
      await vi.waitUntil(() => Date.now() - begun > 400);
      return hold.apply(this, call);
    });
    const { expiresAt, expiredAt } = (await run(wanted)).getResult()?.reservation ?? {};
    expect(Date.parse(expiredAt ?? "")).toBeGreaterThanOrEqual(Date.parse(expiresAt ?? ""));
  });

  test("a failed callback ends in cancelled", async () => {
    const execution = await run(event(), async (runner) => {
      await (await waiting(runner)).sendCallbackFailure({ ErrorMessage: "card refused" });
    });
    expect(execution.getResult()?.reservation).toMatchObject({ status: "cancelled" });
  });

  test("what the seat has decided before the signal stands", async () => {
    const wanted = event();
    const execution = await run(wanted, async (runner) => {
      const callback = await waiting(runner);
      await seats.confirm(wanted.reservationId);
      await callback.sendCallbackSuccess('{"action":"cancel"}');
    });
    expect(execution.getResult()?.reservation).toMatchObject({ status: "confirmed" });
  });

  test("a signal for a hold past its lease does not confirm it", async () => {
    const wanted = event();
    const execution = await run(wanted, async (runner) => {
      const callback = await waiting(runner);
      const hold = await seats.get(wanted.reservationId);
      vi.spyOn(Date, "now").mockReturnValue(Date.parse(hold?.expiresAt ?? ""));
      await callback.sendCallbackSuccess("");
    });
    expect(execution.getResult()?.reservation).toMatchObject({ status: "expired" });
  });

  test("whoever can see the hold can already signal", async () => {
    const wanted = event();
    await run(wanted, async (runner) => {
      const callback = await waiting(runner);
      expect(await seats.callbackId(wanted.reservationId)).toBe(callback.getCallbackDetails()?.callbackId);
      await callback.sendCallbackSuccess("");
    });
  });

  test("a taken seat rejects at once", async () => {
    const holder = await seats.hold(held("A1"));
    const execution = await run({ ...event(), seatId: holder.seatId });
    expect(execution.getResult()?.reservation).toMatchObject({ status: "rejected" });
  });
});

describe("failures", () => {
  test.each(["create-hold", "finalize"])(
    "%s is tried again, and clocks the attempt that succeeded",
    async (name) => {
      const wanted = held("A1");
      const failing = vi
        .spyOn(Seats.prototype, name === "finalize" ? "expire" : "hold")
        .mockRejectedValueOnce(new Error("DynamoDB is away"))
        .mockRejectedValueOnce(new Error("DynamoDB is away"));
      const execution = await run(wanted);
      expect(execution.getResult()?.reservation).toMatchObject({ ...wanted, status: "expired" });
      expect(failing).toHaveBeenCalledTimes(3);
    },
  );

  test("a step is given up after six attempts, and the execution fails", async () => {
    const failing = vi.spyOn(Seats.prototype, "hold").mockRejectedValue(new Error("DynamoDB is away"));
    const execution = await run(held("A1"));
    expect(execution.getStatus()).toBe("FAILED");
    expect(execution.getError().errorMessage).toBe("DynamoDB is away");
    expect(failing).toHaveBeenCalledTimes(6);
  });

  test("the id of a reservation with other input fails the execution at once", async () => {
    const first = await seats.hold(held("A1"));
    const calls = vi.spyOn(Seats.prototype, "hold");
    const execution = await run({ ...first, userId: "someone else" });
    expect(execution.getStatus()).toBe("FAILED");
    expect(execution.getError().errorMessage).toBe(
      `Reservation ${first.reservationId} was made with other input.`,
    );
    expect(calls).toHaveBeenCalledTimes(1);
    expect(await seats.get(first.reservationId)).toMatchObject({ status: "held", userId: "user123" });
  });

  test("bad input fails the execution before any operation", async () => {
    const execution = await run({ seatId: "", holdSeconds: 0.5 });
    expect(execution.getStatus()).toBe("FAILED");
    expect(execution.getError().errorType).toBe("InvalidRequest");
    expect(execution.getError().errorMessage).toContain("seatId must have 1 to 64 characters");
    expect(operations(execution)).toEqual([]);
  });
});
