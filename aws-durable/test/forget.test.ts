import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { forgetEnded } from "../local/forget.js";
import type { Seats } from "../src/seats.js";
import { request, startTestDynamodb, TABLE, type TestDynamodb } from "./dynamodb.js";

const DAY = 24 * 3_600_000;
const NOW = Date.parse("2026-11-23T10:00:00.000Z");

let dynamodb: TestDynamodb;
let client: DynamoDBClient;
let seats: Seats;

beforeAll(async () => {
  dynamodb = await startTestDynamodb();
  seats = dynamodb.seats();
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  client = new DynamoDBClient({ endpoint: dynamodb.endpoint, region: "us-east-2", credentials });
});
afterAll(async () => {
  client.destroy();
  await dynamodb.stop();
});
afterEach(() => {
  vi.useRealTimers();
});

function at(moment: number) {
  vi.useFakeTimers({ toFake: ["Date"], now: moment });
}

const forget = () => forgetEnded(client, TABLE, NOW - 14 * DAY);
const keys = async () => (await dynamodb.items()).map(({ pk }) => String(pk)).toSorted();

test("what ended long ago goes, and what is held, confirmed or of late stays", async () => {
  at(NOW - 20 * DAY);
  const [expired, cancelled, confirmed, first, late] = Array.from({ length: 5 }, () => request());
  for (const each of [expired, cancelled, confirmed, first, late]) await seats.hold(each!);
  await seats.expire(expired!.reservationId);
  await seats.cancel(cancelled!.reservationId);
  await seats.confirm(confirmed!.reservationId);
  const rejected = request({ seatId: confirmed!.seatId });
  expect((await seats.hold(rejected)).status).toBe("rejected");
  // It has left its seat to another, who still has it.
  await seats.expire(first!.reservationId);
  const second = request({ seatId: first!.seatId, holdSeconds: 25 * 86_400 });
  await seats.hold(second);
  at(NOW - 10 * DAY);
  await seats.cancel(late!.reservationId);

  expect(await forget()).toBe(4);
  expect(await keys()).toEqual(
    [confirmed!, second, late!]
      .flatMap(({ reservationId, seatId }) => [`reservation#${reservationId}`, `seat#${seatId}`])
      .toSorted(),
  );
  expect(await forget()).toBe(0);
  at(NOW);
  expect((await seats.get(confirmed!.reservationId))?.status).toBe("confirmed");
  expect((await seats.get(second.reservationId))?.status).toBe("held");
  expect(await seats.get(expired!.reservationId)).toBeUndefined();
  expect((await seats.hold({ ...expired!, holdSeconds: 60 })).status).toBe("held");
});

test("a seat that is taken meanwhile is not lost, nor the entry of a reservation that is made again", async () => {
  at(NOW - 20 * DAY);
  const old = request();
  const seatId = old.seatId;
  await seats.hold(old);
  await seats.expire(old.reservationId);
  at(NOW);
  const next = request({ seatId });
  let calls = 0;
  // Between what is read and what is deleted somebody else takes the seat.
  client.middlewareStack.add(
    (send) => async (args) => {
      calls += 1;
      if (calls === 3) expect((await seats.hold(next)).status).toBe("held");
      return send(args);
    },
    { step: "initialize", name: "between" },
  );
  await forget();
  client.middlewareStack.remove("between");
  expect(calls).toBeGreaterThanOrEqual(3);
  expect((await seats.get(next.reservationId))?.status).toBe("held");
});
