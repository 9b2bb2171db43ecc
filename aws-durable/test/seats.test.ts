import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { ReservationRequest } from "../src/reservation.js";
import { ReservationConflict, ReservationNotFound, type Seats } from "../src/seats.js";
import { request, startTestDynamodb, type TestDynamodb } from "./dynamodb.js";

let dynamodb: TestDynamodb;
let seats: Seats;

beforeAll(async () => {
  dynamodb = await startTestDynamodb();
  seats = dynamodb.seats();
});
afterAll(() => dynamodb.stop());
afterEach(() => {
  vi.useRealTimers();
});

/** From now on the clock stands still, and is moved by hand. */
function stopClock() {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-11-23T10:00:00.000Z") });
  return { advance: (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000) };
}

/** How many writes have changed the record of a reservation, on its seat or with its entry. */
async function revisionOf({ reservationId }: ReservationRequest): Promise<unknown> {
  const items = await dynamodb.items();
  const onSeat = items.find(
    ({ pk, ...item }) => String(pk).startsWith("seat#") && item["reservationId"] === reservationId,
  );
  const { outcome } = items.find(({ pk }) => pk === `reservation#${reservationId}`) ?? {};
  return (onSeat ?? (outcome as Record<string, unknown> | undefined))?.["revision"];
}

describe("the revision of a record", () => {
  test("counts what changed it, not the calls", async () => {
    const wanted = request();
    for (const _ of "twice") await seats.hold(wanted);
    expect(await revisionOf(wanted)).toBe(1);
    await seats.confirm(wanted.reservationId);
    await seats.confirm(wanted.reservationId);
    await seats.expire(wanted.reservationId);
    expect(await revisionOf(wanted)).toBe(2);
  });

  test("is kept when the seat goes to somebody else", async () => {
    const first = request();
    await seats.hold(first);
    await seats.cancel(first.reservationId);
    await seats.hold(request({ seatId: first.seatId }));
    expect(await revisionOf(first)).toBe(2);
  });

  test("is 1 of a rejected one", async () => {
    const holder = await seats.hold(request());
    const rejected = request({ seatId: holder.seatId });
    for (const _ of "twice") await seats.hold(rejected);
    expect(await revisionOf(rejected)).toBe(1);
  });
});

describe("hold", () => {
  test("holds a free seat for the time asked for", async () => {
    stopClock();
    const wanted = request({ holdSeconds: 900 });
    const held = {
      ...wanted,
      status: "held",
      createdAt: "2026-11-23T10:00:00.000Z",
      expiresAt: "2026-11-23T10:15:00.000Z",
    };
    expect(await seats.hold(wanted)).toEqual(held);
    expect(await seats.get(wanted.reservationId)).toEqual(held);
  });

  test("repeated, gives the first hold", async () => {
    const clock = stopClock();
    const wanted = request();
    const first = await seats.hold(wanted);
    clock.advance(5);
    expect(await seats.hold(wanted)).toEqual(first);
  });

  test("repeated after the end, gives the outcome, and takes the seat from nobody", async () => {
    const wanted = request();
    await seats.hold(wanted);
    const cancelled = await seats.cancel(wanted.reservationId);
    expect(await seats.hold(wanted)).toEqual(cancelled);
    const next = await seats.hold(request({ seatId: wanted.seatId }));
    expect(await seats.hold(wanted)).toEqual(cancelled);
    await seats.cancel(next.reservationId);
    expect(await seats.hold(wanted)).toEqual(cancelled);
  });

  test("rejects a held seat, and tells when it frees", async () => {
    stopClock();
    const holder = await seats.hold(request());
    const wanted = request({ seatId: holder.seatId });
    const rejected = {
      ...wanted,
      status: "rejected",
      createdAt: "2026-11-23T10:00:00.000Z",
      expiresAt: "2026-11-23T10:15:00.000Z",
      rejectedAt: "2026-11-23T10:00:00.000Z",
      heldUntil: holder.expiresAt,
    };
    expect(await seats.hold(wanted)).toEqual(rejected);
    expect(await seats.hold(wanted)).toEqual(rejected);
    expect(await seats.get(wanted.reservationId)).toEqual(rejected);
  });

  test("rejects a confirmed seat for good, also past the lease", async () => {
    const clock = stopClock();
    const holder = await seats.hold(request());
    await seats.confirm(holder.reservationId);
    clock.advance(901);
    const rejected = await seats.hold(request({ seatId: holder.seatId }));
    expect(rejected.status).toBe("rejected");
    expect(rejected).not.toHaveProperty("heldUntil");
  });

  test("stays rejected when the seat frees", async () => {
    const holder = await seats.hold(request());
    const wanted = request({ seatId: holder.seatId });
    const rejected = await seats.hold(wanted);
    await seats.cancel(holder.reservationId);
    expect(await seats.hold(wanted)).toEqual(rejected);
    expect((await seats.hold(request({ seatId: holder.seatId }))).status).toBe("held");
  });

  test("takes over a hold past its lease, which then is expired for every reader", async () => {
    const clock = stopClock();
    const dead = await seats.hold(request({ holdSeconds: 10 }));
    clock.advance(10);
    const next = await seats.hold(request({ seatId: dead.seatId }));
    expect(next.status).toBe("held");
    const expired = { ...dead, status: "expired", expiredAt: "2026-11-23T10:00:10.000Z" };
    expect(await seats.get(dead.reservationId)).toEqual(expired);
    expect(await seats.confirm(dead.reservationId)).toEqual(expired);
    expect(await seats.cancel(dead.reservationId)).toEqual(expired);
    expect(await seats.get(next.reservationId)).toEqual(next);
  });

  test.each([
    ["another user", { userId: "someone else" }],
    ["another hold", { holdSeconds: 60 }],
    ["another strategy", { strategy: "event" as const }],
    ["another seat", { seatId: "elsewhere" }],
  ])("refuses the same id with %s", async (_, other) => {
    const wanted = request();
    const held = await seats.hold(wanted);
    await expect(seats.hold({ ...wanted, ...other })).rejects.toThrow(ReservationConflict);
    expect(await seats.get(wanted.reservationId)).toEqual(held);

    await seats.cancel(wanted.reservationId);
    await seats.hold(request({ seatId: wanted.seatId }));
    await expect(seats.hold({ ...wanted, ...other })).rejects.toThrow(ReservationConflict);
  });

  test("of one seat by 200 at once: one gets it, the others are told until when", async () => {
    const seatId = "popular";
    const wanted = Array.from({ length: 200 }, () => request({ seatId }));
    const reservations = await Promise.all(wanted.map((each) => seats.hold(each)));
    const held = reservations.filter(({ status }) => status === "held");
    const rejected = reservations.filter(({ status }) => status === "rejected");
    expect([held.length, rejected.length]).toEqual([1, 199]);
    expect(new Set(rejected.map(({ heldUntil }) => heldUntil))).toEqual(new Set([held[0]?.expiresAt]));
  });
});

describe("confirm, cancel, expire", () => {
  const calls = { confirm: "confirmed", cancel: "cancelled", expire: "expired" } as const;
  const names = Object.keys(calls) as (keyof typeof calls)[];

  test.each(names)("%s ends a hold, and no later call changes that", async (call) => {
    const clock = stopClock();
    const held = await seats.hold(request());
    clock.advance(3);
    const ended = { ...held, status: calls[call], [`${calls[call]}At`]: "2026-11-23T10:00:03.000Z" };
    expect(await seats[call](held.reservationId)).toEqual(ended);
    clock.advance(3);
    for (const later of names) expect(await seats[later](held.reservationId)).toEqual(ended);
    clock.advance(900);
    expect(await seats.get(held.reservationId)).toEqual(ended);
  });

  test.each(["confirm", "cancel", "get"] as const)("%s past the lease gives expired", async (call) => {
    const clock = stopClock();
    const held = await seats.hold(request({ holdSeconds: 10 }));
    clock.advance(9.999);
    expect((await seats.get(held.reservationId))?.status).toBe("held");
    clock.advance(0.001);
    expect((await seats[call](held.reservationId))?.status).toBe("expired");
    expect((await seats.expire(held.reservationId)).status).toBe("expired");
  });

  test.each(names)("%s leaves a rejected reservation alone", async (call) => {
    const holder = await seats.hold(request());
    const rejected = await seats.hold(request({ seatId: holder.seatId }));
    expect(await seats[call](rejected.reservationId)).toEqual(rejected);
    expect(await seats.get(holder.reservationId)).toEqual(holder);
  });

  test.each(names)("%s of an unknown reservation says so", async (call) => {
    await expect(seats[call]("nobody")).rejects.toThrow(ReservationNotFound);
    expect(await seats.get("nobody")).toBeUndefined();
  });

  test("confirm and cancel at once: every reader sees the one that won", async () => {
    for (let round = 0; round < 20; round += 1) {
      const { reservationId } = await seats.hold(request());
      const answers = await Promise.all([seats.confirm(reservationId), seats.cancel(reservationId)]);
      expect(answers[0]).toEqual(answers[1]);
      expect(await seats.get(reservationId)).toEqual(answers[0]);
    }
  });
});

test("the callback id stays with the reservation", async () => {
  const holder = await seats.hold(request({ strategy: "event" }), "callback-1");
  expect(await seats.callbackId(holder.reservationId)).toBe("callback-1");
  expect(await seats.callbackId("nobody")).toBeUndefined();
});
