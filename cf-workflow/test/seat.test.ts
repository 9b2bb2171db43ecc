import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ReservationRequest } from "../src/reservation";
import { newRequest } from "./client";

const NOW = Date.parse("2026-11-23T12:00:00.000Z");
const HOLD_SECONDS = 900;

const seatOf = ({ seatId }: ReservationRequest) => env.SEAT.getByName(seatId);
const rival = (request: ReservationRequest) => newRequest({ seatId: request.seatId, userId: "rival" });

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
});

afterEach(() => {
  vi.useRealTimers();
});

function afterHold(): void {
  vi.setSystemTime(NOW + HOLD_SECONDS * 1000);
}

/** How many writes have changed the record of a reservation. */
const revisionOf = (request: ReservationRequest) =>
  runInDurableObject(seatOf(request), (_, { storage }) =>
    storage.sql
      .exec("SELECT revision FROM reservations WHERE reservation_id = ?", request.reservationId)
      .toArray()
      .map(({ revision }) => revision),
  );

describe("the revision of a record", () => {
  it("counts what changed it, not the calls", async () => {
    const request = newRequest();
    const seat = seatOf(request);
    for (const _ of "twice") await seat.hold(request);
    expect(await revisionOf(request)).toEqual([1]);
    await seat.confirm(request.reservationId);
    await seat.confirm(request.reservationId);
    await seat.expire(request.reservationId);
    expect(await revisionOf(request)).toEqual([2]);
  });

  it("counts a lapsed lease once", async () => {
    const request = newRequest();
    await seatOf(request).hold(request);
    afterHold();
    for (const _ of "twice") await seatOf(request).get(request.reservationId);
    await seatOf(request).expire(request.reservationId);
    expect(await revisionOf(request)).toEqual([2]);
  });

  it("is 1 of a rejected one", async () => {
    const request = newRequest();
    const rejected = rival(request);
    await seatOf(request).hold(request);
    for (const _ of "twice") await seatOf(rejected).hold(rejected);
    expect(await revisionOf(rejected)).toEqual([1]);
  });

  it("is given to the records of a seat that was made without", async () => {
    const request = newRequest();
    const seat = seatOf(request);
    await seat.hold(request);
    await seat.cancel(request.reservationId);
    await runInDurableObject(seat, (_, { storage }) => {
      storage.sql.exec("ALTER TABLE reservations DROP COLUMN revision");
    });
    await evictDurableObject(seat);
    expect(await seat.get(request.reservationId)).toMatchObject({ status: "cancelled" });
    expect(await revisionOf(request)).toEqual([2]);
  });
});

describe("hold", () => {
  it("holds a free seat", async () => {
    const request = newRequest();
    expect(await seatOf(request).hold(request)).toEqual({
      ...request,
      status: "held",
      createdAt: "2026-11-23T12:00:00.000Z",
      expiresAt: "2026-11-23T12:15:00.000Z",
    });
  });

  it("gives the existing reservation when it is repeated", async () => {
    const request = newRequest();
    const first = await seatOf(request).hold(request);
    vi.setSystemTime(NOW + 5000);
    expect(await seatOf(request).hold(request)).toEqual(first);
  });

  it("outlives the object's eviction from memory", async () => {
    const request = newRequest();
    const first = await seatOf(request).hold(request);
    await evictDurableObject(seatOf(request));
    expect(await seatOf(request).get(request.reservationId)).toEqual(first);
  });

  it("rejects while somebody else holds the seat, and tells until when", async () => {
    const request = newRequest();
    const other = rival(request);
    await seatOf(request).hold(request);
    expect(await seatOf(request).hold(other)).toMatchObject({
      reservationId: other.reservationId,
      status: "rejected",
      rejectedAt: "2026-11-23T12:00:00.000Z",
      heldUntil: "2026-11-23T12:15:00.000Z",
    });
  });

  it("rejects for good when the seat is confirmed", async () => {
    const request = newRequest();
    await seatOf(request).hold(request);
    await seatOf(request).confirm(request.reservationId);
    afterHold();
    const rejected = await seatOf(request).hold(rival(request));
    expect(rejected.status).toBe("rejected");
    expect(rejected).not.toHaveProperty("heldUntil");
  });

  it.each(["cancel", "expire"] as const)("takes the seat again after %s", async (end) => {
    const request = newRequest();
    await seatOf(request).hold(request);
    await seatOf(request)[end](request.reservationId);
    expect((await seatOf(request).hold(rival(request))).status).toBe("held");
  });

  it("takes the seat past the lease of a hold whose workflow died", async () => {
    const request = newRequest();
    await seatOf(request).hold(request);
    afterHold();
    expect((await seatOf(request).hold(rival(request))).status).toBe("held");
    expect(await seatOf(request).get(request.reservationId)).toMatchObject({
      status: "expired",
      expiredAt: "2026-11-23T12:15:00.000Z",
    });
  });

  it("holds one of 200 concurrent requests for the seat", async () => {
    const { seatId } = newRequest();
    const requests = Array.from({ length: 200 }, () => newRequest({ seatId }));
    const answers = await Promise.all(requests.map((request) => env.SEAT.getByName(seatId).hold(request)));
    expect(answers.filter(({ status }) => status === "held")).toHaveLength(1);
    expect(answers.filter(({ status }) => status === "rejected")).toHaveLength(199);
  });
});

describe("the first decision stays", () => {
  const DECISIONS = [
    ["confirm", "confirmed"],
    ["cancel", "cancelled"],
    ["expire", "expired"],
  ] as const;
  const PAIRS = DECISIONS.flatMap(([first, status]) =>
    DECISIONS.map(([then]) => [first, then, status] as const),
  );

  it.each(PAIRS)("%s, then %s", async (first, then, status) => {
    const request = newRequest();
    const seat = seatOf(request);
    await seat.hold(request);
    const decided = await seat[first](request.reservationId);
    expect(decided).toMatchObject({ status, [`${status}At`]: "2026-11-23T12:00:00.000Z" });
    vi.setSystemTime(NOW + 5000);
    expect(await seat[then](request.reservationId)).toEqual(decided);
    afterHold();
    expect(await seat.get(request.reservationId)).toEqual(decided);
  });

  it.each(["confirm", "cancel", "expire"] as const)(
    "%s leaves a rejected reservation alone",
    async (decision) => {
      const request = newRequest();
      const other = rival(request);
      await seatOf(request).hold(request);
      const rejected = await seatOf(request).hold(other);
      expect(await seatOf(request)[decision](other.reservationId)).toEqual(rejected);
    },
  );
});

describe("past the lease", () => {
  it.each(["confirm", "cancel", "expire", "get"] as const)("%s finds the hold expired", async (call) => {
    const request = newRequest();
    await seatOf(request).hold(request);
    afterHold();
    expect(await seatOf(request)[call](request.reservationId)).toMatchObject({ status: "expired" });
  });

  it("a confirmation 1 ms before it counts", async () => {
    const request = newRequest();
    await seatOf(request).hold(request);
    vi.setSystemTime(NOW + HOLD_SECONDS * 1000 - 1);
    expect(await seatOf(request).confirm(request.reservationId)).toMatchObject({ status: "confirmed" });
  });
});

describe("an unknown reservation", () => {
  it("is not found", async () => {
    const request = newRequest();
    expect(await seatOf(request).get(request.reservationId)).toBeUndefined();
  });
});

describe("waitForHold", () => {
  it("gives the reservation to everybody who waited for it", async () => {
    const request = newRequest();
    const waiting = [1, 2, 3].map(() => seatOf(request).waitForHold(request.reservationId));
    const held = await seatOf(request).hold(request);
    expect(await Promise.all(waiting)).toEqual([held, held, held]);
  });
});
