import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import fixture from "../../tests/fixtures/seat-machine.json";
import type { Reservation } from "../src/reservation";
import { newRequest } from "./client";

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

const sequences = fixture.sequences as Played[][];
const BEGIN = Date.parse("2026-11-23T12:00:00.000Z");

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: BEGIN });
});

afterEach(() => {
  vi.useRealTimers();
});

describe("the seat answers as the state machine does", () => {
  it.each(sequences.map((calls, index) => [index, calls] as const))("sequence %i", async (_, calls) => {
    const { seatId } = newRequest();
    const lapses = new Map<string, number>();
    for (const { at, call, id, holdSeconds, expect: wanted } of calls) {
      vi.setSystemTime(BEGIN + at);
      const found = await answer(call, seatId, id, holdSeconds);
      expect(found && times(found)).toEqual(wanted && settled(wanted, found, at, id, lapses));
    }
  });
});

async function answer(call: Played["call"], seatId: string, reservationId: string, holdSeconds = 1) {
  const seat = env.SEAT.getByName(seatId);
  if (call === "hold") return seat.hold(newRequest({ reservationId, seatId, holdSeconds }));
  // The Worker asks the seat only for what the seat has: for anything else, confirm and its like throw.
  const known = await seat.get(reservationId);
  if (call === "get" || known === undefined) return known ?? null;
  return seat[call](reservationId);
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
