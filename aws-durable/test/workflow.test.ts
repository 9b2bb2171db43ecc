import {
  LocalDurableTestRunner,
  OperationStatus,
  WaitingOperationStatus,
} from "@aws/durable-execution-sdk-js-testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { ReservationOutput } from "../src/reservation.js";
import { Seats } from "../src/seats.js";
import { request, startTestDynamodb, TABLE, type TestDynamodb } from "./dynamodb.js";

let dynamodb: TestDynamodb;
let seats: Seats;
let handler: (typeof import("../src/handler.js"))["handler"];
let runner: LocalDurableTestRunner<ReservationOutput>;

beforeAll(async () => {
  dynamodb = await startTestDynamodb();
  seats = dynamodb.seats();
  vi.stubEnv("SEATS_TABLE", TABLE);
  vi.stubEnv("AWS_REGION", "us-east-2");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  vi.stubEnv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.endpoint);
  ({ handler } = await import("../src/handler.js"));
  await LocalDurableTestRunner.setupTestEnvironment({ skipTime: true });
});
afterAll(async () => {
  await LocalDurableTestRunner.teardownTestEnvironment();
  await dynamodb.stop();
});
beforeEach(() => {
  runner = new LocalDurableTestRunner({ handlerFunction: handler });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const clock = { began: expect.any(Number) as number, ended: expect.any(Number) as number };

describe("strategy sleep", () => {
  test("holds, waits for the whole hold, and expires", async () => {
    const wanted = request({ holdSeconds: 1 });
    const execution = await runner.run({ payload: wanted });
    const reservation = await seats.get(wanted.reservationId);
    expect(execution.getResult()).toEqual({
      message: `The hold on seat ${wanted.seatId} expired.`,
      reservation,
      clock: { "create-hold": clock, finalize: clock },
    });
    expect(reservation).toMatchObject({ ...wanted, status: "expired" });
    expect(execution.getOperations().map((operation) => operation.getName())).toEqual([
      "create-hold",
      "hold-window",
      "finalize",
    ]);
    expect(runner.getOperation("hold-window").getWaitDetails()?.waitSeconds).toBe(900);
  });
});
