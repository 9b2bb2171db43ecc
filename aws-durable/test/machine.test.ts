import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Reservation } from "../src/reservation.js";
import { ReservationNotFound, type Seats } from "../src/seats.js";
import { request, startTestDynamodb, type TestDynamodb } from "./dynamodb.js";

/** A call on a seat, made from the seat as a state machine in Python: tests/support/seat_machine.py. */
interface Played {
  at: number;
  call: "hold" | "confirm" | "cancel" | "expire" | "get";
  id: string;
  holdSeconds?: number;
  expect: {
    status: Reservation["status"];
    createdAt: number;
    expiresAt: number;
    endedAt: number | null;
    heldUntil: number | null;
  } | null;
}

const FIXTURE = new URL("../../tests/fixtures/seat-machine.json", import.meta.url);
const { sequences } = JSON.parse(readFileSync(FIXTURE, "utf8")) as { sequences: Played[][] };
const BEGIN = Date.parse("2026-11-23T10:00:00.000Z");

let dynamodb: TestDynamodb;
let seats: Seats;

beforeAll(async () => {
  dynamodb = await startTestDynamodb();
  seats = dynamodb.seats();
});
afterAll(() => dynamodb.stop());
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: BEGIN });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the seats answer as the state machine does", () => {
  test.each(sequences.map((calls, index) => [index, calls] as const))("sequence %i", async (index, calls) => {
    const lapses = new Map<string, number>();
    for (const { at, call, id, holdSeconds, expect: wanted } of calls) {
      vi.setSystemTime(BEGIN + at);
      const found = await answer(call, index, id, holdSeconds);
      expect(found && times(found)).toEqual(wanted && settled(wanted, found, at, id, lapses));
    }
  });
});

async function answer(call: Played["call"], index: number, id: string, holdSeconds = 1) {
  const reservationId = `${id}-${index}`;
  if (call === "hold") return seats.hold(request({ reservationId, seatId: `seat-${index}`, holdSeconds }));
  try {
    return (await seats[call](reservationId)) ?? null;
  } catch (error) {
    if (error instanceof ReservationNotFound) return null;
    throw error;
  }
}

/** The record as the fixture has it: times in ms since the beginning. */
function times(found: Reservation) {
  const since = (time?: string) => (time === undefined ? null : Date.parse(time) - BEGIN);
  const { status, createdAt, expiresAt, heldUntil } = found;
  const endedAt = status === "held" ? undefined : found[`${status}At`];
  return {
    status,
    createdAt: since(createdAt),
    expiresAt: since(expiresAt),
    endedAt: since(endedAt),
    heldUntil: since(heldUntil),
  };
}

/** What is wanted, with the time at which a lapse was noticed: not before it, not after now, and always the same. */
function settled(
  wanted: NonNullable<Played["expect"]>,
  found: Reservation | null,
  at: number,
  id: string,
  lapses: Map<string, number>,
) {
  if (wanted.status !== "expired" || wanted.endedAt !== null) return wanted;
  const noticed = lapses.get(id) ?? (found && times(found).endedAt) ?? -1;
  expect(noticed).toBeGreaterThanOrEqual(wanted.expiresAt);
  expect(noticed).toBeLessThanOrEqual(at);
  lapses.set(id, noticed);
  return { ...wanted, endedAt: noticed };
}
