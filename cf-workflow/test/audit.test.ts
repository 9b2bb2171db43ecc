import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { audit } from "../src/audit";
import type { Reservation } from "../src/reservation";
import { newRequest } from "./client";

const RECORD: Reservation = {
  ...newRequest(),
  status: "held",
  createdAt: "2026-11-23T12:00:00.000Z",
  expiresAt: "2026-11-23T12:15:00.000Z",
};

afterEach(() => {
  vi.restoreAllMocks();
});

it("keeps the record for a day", async () => {
  await audit(env, RECORD);
  const key = `reservation:${RECORD.reservationId}`;
  expect(await env.RESERVATIONS_KV.get(key, "json")).toEqual(RECORD);
  const { keys } = await env.RESERVATIONS_KV.list({ prefix: key });
  const secondsLeft = (keys[0]?.expiration ?? 0) - Date.now() / 1000;
  expect(secondsLeft).toBeGreaterThan(86_400 - 60);
  expect(secondsLeft).toBeLessThanOrEqual(86_400 + 1);
});

it("logs a failure and goes on", async () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  vi.spyOn(env.RESERVATIONS_KV, "put").mockRejectedValue(new Error("429 Too Many Requests"));
  await audit(env, RECORD);
  expect(warn).toHaveBeenCalledExactlyOnceWith(
    `No audit copy of reservation:${RECORD.reservationId} (held):`,
    new Error("429 Too Many Requests"),
  );
});
