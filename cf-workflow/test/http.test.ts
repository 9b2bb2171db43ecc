import { env } from "cloudflare:workers";
import { introspectWorkflow } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { get, introspect, newRequest, ORIGIN, outputOf, post, request } from "./client";

describe("POST /reserve", () => {
  it("answers 201 once the hold exists, and every reader finds it at once", async () => {
    const given = newRequest();
    await using _ = await introspect(given);
    const { status, body } = await post("/reserve", given);
    expect(status).toBe(201);
    expect(body.reservation).toMatchObject({ ...given, status: "held" });
    expect(body.statusUrl).toBe(`${ORIGIN}/workflow/${given.reservationId}`);

    const reservation = await get(`/reservation/${given.reservationId}`);
    expect(reservation).toMatchObject({ status: 200, body });
    const workflow = await get(`/workflow/${given.reservationId}`);
    expect(workflow.status).toBe(200);
    expect(workflow.body.instance).toMatchObject({ id: given.reservationId });
    expect(workflow.body.reservation).toEqual(body.reservation);
  });

  it("generates the id and fills in the defaults", async () => {
    await using _ = await introspectWorkflow(env.RESERVATION_WORKFLOW);
    const { seatId } = newRequest();
    const { status, body } = await post("/reserve", { seatId, userId: "user123" });
    expect(status).toBe(201);
    expect(body.reservation).toMatchObject({ seatId, holdSeconds: 900, strategy: "sleep", status: "held" });
    expect(body.reservation?.reservationId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("answers 409 with the time the seat frees", async () => {
    const holder = newRequest();
    const given = newRequest({ seatId: holder.seatId });
    await using _ = await introspectWorkflow(env.RESERVATION_WORKFLOW);
    const held = (await post("/reserve", holder)).body.reservation;
    for (const repetition of [1, 2]) {
      const { status, body } = await post("/reserve", given);
      expect({ repetition, status, code: body.code }).toEqual({
        repetition,
        status: 409,
        code: "seat_taken",
      });
      expect(body.error).toBe(`Seat ${holder.seatId} is taken.`);
      expect(body.reservation).toMatchObject({ status: "rejected", heldUntil: held?.expiresAt });
    }
  });

  it("gives the existing reservation for the same id and input, and 409 for other input", async () => {
    const given = newRequest();
    await using _ = await introspect(given);
    const first = await post("/reserve", given);
    expect(await post("/reserve", given)).toMatchObject({ status: 200, body: first.body });

    const other = await post("/reserve", { ...given, userId: "somebody else" });
    expect(other).toMatchObject({ status: 409, body: { code: "reservation_conflict" } });
  });

  it("starts one workflow for concurrent requests with the same id", async () => {
    const given = newRequest();
    await using introspector = await introspectWorkflow(env.RESERVATION_WORKFLOW);
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => post("/reserve", given)));
    for (const { body } of answers) expect(body.reservation).toMatchObject({ ...given, status: "held" });
    expect(await introspector.get()).toHaveLength(1);
  });

  it("starts the workflow of an id that was claimed by a request which died", async () => {
    const given = newRequest();
    await using instance = await introspect(given);
    await env.DIRECTORY.getByName(given.reservationId).claim(given);
    expect(await get(`/reservation/${given.reservationId}`)).toMatchObject({
      status: 202,
      body: { reservationId: given.reservationId },
    });

    await instance.modify((m) => m.disableSleeps());
    expect((await post("/reserve", given)).status).toBe(201);
    expect((await outputOf(instance)).reservation.status).toBe("expired");
  });

  it("answers 202 with the status URL when the hold is not known in time", async () => {
    const given = newRequest();
    await using instance = await introspect(given);
    await instance.modify(async (m) => {
      await m.disableRetryDelays();
      await m.mockStepError({ name: "create-hold" }, new Error("The seat is not reachable."));
    });
    const { status, body } = await post("/reserve", given);
    expect(status).toBe(202);
    expect(body).toEqual({
      reservationId: given.reservationId,
      statusUrl: `${ORIGIN}/workflow/${given.reservationId}`,
    });

    const workflow = await get(`/workflow/${given.reservationId}`);
    expect(workflow.status).toBe(200);
    expect(workflow.body).toMatchObject({ instance: { status: "errored" }, reservation: null });
  });

  it("holds one of 200 concurrent reservations of a seat", async () => {
    const { seatId } = newRequest();
    await using _ = await introspectWorkflow(env.RESERVATION_WORKFLOW);
    const requests = Array.from({ length: 200 }, () => newRequest({ seatId }));
    await Promise.all(requests.map((given) => post("/reserve", given)));
    const records = await Promise.all(
      requests.map(async ({ reservationId }) => env.SEAT.getByName(seatId).waitForHold(reservationId)),
    );
    expect(records.filter((record) => record?.status === "held")).toHaveLength(1);
    expect(records.filter((record) => record?.status === "rejected")).toHaveLength(199);
  }, 60_000);
});

describe("POST /confirm and /cancel", () => {
  it.each([
    ["confirm", "confirmed", "cancel", "already_confirmed"],
    ["cancel", "cancelled", "confirm", "already_cancelled"],
  ])("%s ends it, and a later opposite is told so", async (first, status, then, code) => {
    const given = newRequest();
    await using _ = await introspect(given);
    await post("/reserve", given);
    const decided = await post(`/${first}/${given.reservationId}`);
    expect(decided).toMatchObject({ status: 200, body: { reservation: { ...given, status } } });

    expect(await post(`/${first}/${given.reservationId}`)).toMatchObject({ status: 200, body: decided.body });
    expect(await post(`/${then}/${given.reservationId}`)).toMatchObject({
      status: 409,
      body: { code, reservation: decided.body.reservation },
    });
  });

  it.each([
    ["confirm", "confirmed"],
    ["cancel", "cancelled"],
  ])("%s wakes the workflow of strategy event", async (decision, status) => {
    const given = newRequest({ strategy: "event" });
    await using instance = await introspect(given);
    await post("/reserve", given);
    await post(`/${decision}/${given.reservationId}`);
    const { reservation } = await outputOf(instance);
    expect(reservation.status).toBe(status);

    const workflow = await get(`/workflow/${given.reservationId}`);
    expect(workflow.body).toMatchObject({
      instance: { id: given.reservationId, status: "complete", output: { reservation } },
      reservation,
    });
  });

  it.each(["confirm", "cancel"])("%s that comes too late is told so", async (decision) => {
    const given = newRequest();
    await using instance = await introspect(given);
    await instance.modify((m) => m.disableSleeps());
    await post("/reserve", given);
    await outputOf(instance);
    expect(await post(`/${decision}/${given.reservationId}`)).toMatchObject({
      status: 410,
      body: { code: "too_late", reservation: { status: "expired" } },
    });
  });

  it("answers success although the workflow can't be told", async () => {
    const given = newRequest({ strategy: "event" });
    await env.DIRECTORY.getByName(given.reservationId).claim(given);
    await env.SEAT.getByName(given.seatId).hold(given);
    expect((await post(`/confirm/${given.reservationId}`)).status).toBe(200);
  });

  it.each(["confirm", "cancel"])("%s of a rejected reservation is refused", async (decision) => {
    const holder = newRequest();
    const given = newRequest({ seatId: holder.seatId });
    await using _ = await introspectWorkflow(env.RESERVATION_WORKFLOW);
    await post("/reserve", holder);
    await post("/reserve", given);
    expect(await post(`/${decision}/${given.reservationId}`)).toMatchObject({
      status: 409,
      body: { code: "rejected" },
    });
  });
});

describe("what is not there", () => {
  it.each([
    ["GET", "/reservation/nobody", 404, "reservation_not_found"],
    ["GET", "/workflow/nobody", 404, "reservation_not_found"],
    ["POST", "/confirm/nobody", 404, "reservation_not_found"],
    ["POST", "/cancel/nobody", 404, "reservation_not_found"],
    ["GET", "/reservation/-bad", 400, "invalid_request"],
    ["GET", "/workflow/a%20b", 400, "invalid_request"],
    ["GET", "/nowhere", 404, "not_found"],
    ["POST", "/confirm", 404, "not_found"],
    ["GET", "/reserve", 405, "method_not_allowed"],
    ["DELETE", "/reservation/nobody", 405, "method_not_allowed"],
    ["POST", "/", 405, "method_not_allowed"],
  ])("%s %s is %i %s", async (method, path, status, code) => {
    const answer = await request(method, path);
    expect(answer).toMatchObject({ status, body: { code, error: expect.any(String) } });
    expect(answer.headers.get("Content-Type")).toBe("application/json");
  });

  it("tells which method a route takes", async () => {
    expect((await request("PUT", "/reserve")).headers.get("Allow")).toBe("POST");
  });

  it("lists the endpoints at /", async () => {
    expect((await get("/")).body.endpoints).toContain("POST /reserve");
  });
});

describe("bad bodies", () => {
  it("names each bad field", async () => {
    const { status, body } = await post("/reserve", {
      seatId: "",
      holdSeconds: "banana",
      reservationId: "a/b",
    });
    expect(status).toBe(400);
    expect(body.code).toBe("invalid_request");
    expect(Object.keys(body.fields ?? {})).toEqual(["reservationId", "seatId", "holdSeconds"]);
  });

  it.each(["{", "", "seatId=A1"])("refuses %o as malformed JSON", async (text) => {
    expect(await post("/reserve", text)).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])(
    "refuses the content type %s",
    async (type) => {
      expect(await post("/reserve", { seatId: "A1" }, { "Content-Type": type })).toMatchObject({
        status: 415,
        body: { code: "unsupported_media_type" },
      });
    },
  );

  it("refuses more than 16 KiB, with and without a declared length", async () => {
    const text = JSON.stringify({ seatId: "A1", filler: "x".repeat(16 * 1024) });
    const tooLarge = { status: 413, body: { code: "payload_too_large" } };
    expect(await post("/reserve", text)).toMatchObject(tooLarge);
    const headers = { "Content-Type": "application/json" };
    const body = new Blob([text]).stream();
    expect(await request("POST", "/reserve", { headers, body })).toMatchObject(tooLarge);
  });
});

describe("who may post", () => {
  afterEach(() => {
    delete (env as Env).API_TOKEN;
  });

  it.each(["http://evil.test", "http://worker.test:8080", "null"])("refuses a page of %s", async (Origin) => {
    const answer = await post("/confirm/nobody", undefined, { Origin });
    expect(answer).toMatchObject({ status: 403, body: { code: "forbidden_origin" } });
  });

  it("takes a page of its own", async () => {
    expect((await post("/confirm/nobody", undefined, { Origin: ORIGIN })).status).toBe(404);
  });

  it.each(["/reserve", "/confirm/nobody", "/cancel/nobody"])("asks for the token at %s", async (path) => {
    (env as Env).API_TOKEN = "s3cret";
    for (const headers of [{}, { Authorization: "Bearer other" }, { Authorization: "s3cret" }]) {
      expect(await post(path, {}, headers)).toMatchObject({ status: 401, body: { code: "unauthorized" } });
    }
    expect((await post(path, {}, { Authorization: "Bearer s3cret" })).status).not.toBe(401);
    expect((await get("/")).status).toBe(200);
  });
});
