import { env } from "cloudflare:workers";
import { introspectWorkflow } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import type { ReservationRequest } from "../src/reservation";
import { get, introspect, newRequest, outputOf } from "./client";

const start = (request: ReservationRequest) =>
  env.RESERVATION_WORKFLOW.create({ id: request.reservationId, params: request });
const auditOf = ({ reservationId }: ReservationRequest) =>
  env.RESERVATIONS_KV.get(`reservation:${reservationId}`, "json");
const CLOCK = { began: expect.any(Number), ended: expect.any(Number) };

describe("strategy sleep", () => {
  it("expires at the end of the hold", async () => {
    const request = newRequest();
    await using instance = await introspect(request);
    await instance.modify((m) => m.disableSleeps());
    await start(request);

    const output = await outputOf(instance);
    expect(output).toEqual({
      message: `The hold on seat ${request.seatId} expired.`,
      reservation: {
        ...request,
        status: "expired",
        createdAt: expect.any(String),
        expiresAt: expect.any(String),
        expiredAt: expect.any(String),
      },
      clock: { "create-hold": CLOCK, finalize: CLOCK },
    });
    expect(await auditOf(request)).toEqual(output.reservation);
  });

  it("finds the confirmation that came during the hold", async () => {
    const request = newRequest();
    await using instance = await introspect(request);
    await instance.modify((m) => m.disableSleeps());
    await env.SEAT.getByName(request.seatId).hold(request);
    await env.SEAT.getByName(request.seatId).confirm(request.reservationId);
    await start(request);

    const { message, reservation } = await outputOf(instance);
    expect(reservation.status).toBe("confirmed");
    expect(message).toBe(`Seat ${request.seatId} is confirmed for user123.`);
  });
});

describe("strategy event", () => {
  it.each([
    ["confirm", { action: "confirm" }, "confirmed"],
    ["cancel", { action: "cancel" }, "cancelled"],
    ["an event without an action", {}, "confirmed"],
  ] as const)("wakes on %s", async (_, payload, status) => {
    const request = newRequest({ strategy: "event" });
    await using instance = await introspect(request);
    await instance.modify((m) => m.mockEvent({ type: "confirmation", payload }));
    await start(request);

    const { reservation } = await outputOf(instance);
    expect(reservation.status).toBe(status);
    expect(await auditOf(request)).toEqual(reservation);
  });

  it("expires when no event comes", async () => {
    const request = newRequest({ strategy: "event" });
    await using instance = await introspect(request);
    await instance.modify(async (m) => {
      await m.disableSleeps();
      await m.forceEventTimeout({ name: "await-confirmation" });
    });
    await start(request);
    expect((await outputOf(instance)).reservation.status).toBe("expired");
  });

  it("keeps what the seat decided when the event got lost", async () => {
    const request = newRequest({ strategy: "event" });
    await using instance = await introspect(request);
    await instance.modify(async (m) => {
      await m.disableSleeps();
      await m.forceEventTimeout({ name: "await-confirmation" });
    });
    await env.SEAT.getByName(request.seatId).hold(request);
    await env.SEAT.getByName(request.seatId).confirm(request.reservationId);
    await start(request);
    expect((await outputOf(instance)).reservation.status).toBe("confirmed");
  });
});

describe("a wait that the engine cuts short", () => {
  it.each(["sleep", "event"] as const)("ends no hold before its lease: %s", async (strategy) => {
    const request = newRequest({ strategy, holdSeconds: 2 });
    await using instance = await introspect(request);
    await instance.modify((m) =>
      strategy === "sleep"
        ? m.disableSleeps([{ name: "hold-window" }])
        : m.forceEventTimeout({ name: "await-confirmation" }),
    );
    await start(request);
    const { reservation } = await outputOf(instance);
    expect(reservation.status).toBe("expired");
    expect(reservation.expiredAt! >= reservation.expiresAt).toBe(true);
  });
});

describe("a seat that is taken", () => {
  it("ends the workflow at once", async () => {
    const holder = newRequest();
    const request = newRequest({ seatId: holder.seatId });
    await env.SEAT.getByName(holder.seatId).hold(holder);
    await using instance = await introspect(request);
    await start(request);

    const { message, reservation, clock } = await outputOf(instance);
    expect(message).toBe(`Seat ${holder.seatId} is taken.`);
    expect(reservation.status).toBe("rejected");
    expect(clock).toEqual({ "create-hold": CLOCK });
  });
});

describe("retries", () => {
  it.each(["create-hold", "finalize"])("%s works after five failures", async (name) => {
    const request = newRequest();
    await using instance = await introspect(request);
    await instance.modify(async (m) => {
      await m.disableSleeps();
      await m.disableRetryDelays();
      await m.mockStepError({ name }, new Error("The seat is not reachable."), 5);
    });
    await start(request);
    expect((await outputOf(instance)).reservation.status).toBe("expired");
  });

  it("gives up after the sixth", async () => {
    const request = newRequest();
    await using instance = await introspect(request);
    await instance.modify(async (m) => {
      await m.disableRetryDelays();
      await m.mockStepError({ name: "create-hold" }, new Error("The seat is not reachable."), 6);
    });
    await start(request);
    await instance.waitForStatus("errored");
    expect(await env.SEAT.getByName(request.seatId).get(request.reservationId)).toBeUndefined();
  });
});

describe("started without the HTTP interface", () => {
  it("takes the instance id as the reservation id and can be looked up by it", async () => {
    await using introspector = await introspectWorkflow(env.RESERVATION_WORKFLOW);
    await introspector.modifyAll((m) => m.disableSleeps());
    const { seatId } = newRequest();
    const { id } = await env.RESERVATION_WORKFLOW.create({ params: { seatId, userId: "user123" } });

    const [instance] = await introspector.get();
    if (!instance) throw new Error("No instance was created.");
    const { reservation } = await outputOf(instance);
    expect(reservation).toMatchObject({ reservationId: id, seatId, holdSeconds: 900, strategy: "sleep" });
    expect((await get(`/reservation/${id}`)).body.reservation).toEqual(reservation);
  });

  it("fails on bad input without a retry", async () => {
    const request = newRequest({ seatId: "", holdSeconds: 0 });
    await using instance = await introspect(request);
    await start(request);
    await instance.waitForStatus("errored");
    const { message } = await instance.getError();
    expect(message).toContain("seatId must have 1 to 64 characters");
    expect(message).toContain("holdSeconds must be a whole number of seconds");
  });

  it("fails when the id stands for another request, and leaves the seat alone", async () => {
    const claimed = newRequest();
    const request = newRequest({ reservationId: claimed.reservationId });
    await env.DIRECTORY.getByName(claimed.reservationId).claim(claimed);
    await using instance = await introspect(request);
    await start(request);
    await instance.waitForStatus("errored");
    expect(await env.SEAT.getByName(request.seatId).get(request.reservationId)).toBeUndefined();
  });
});
