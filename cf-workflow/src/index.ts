import { Hono, type Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { ApiError } from "./errors";
import { bearerToken, dataOnly, jsonOnly, localHost, rateLimit, sameOrigin } from "./guards";
import { readInstance, startWorkflow, wakeWorkflow } from "./instance";
import { OPENAPI, OPERATIONS } from "./openapi";
import { describe, InvalidRequest, parseRequest, parseReservationId, sameRequest } from "./reservation";
import type { Reservation, ReservationRequest } from "./reservation";

export { Directory } from "./directory";
export { Seat } from "./seat";
export { ReservationWorkflow } from "./workflow";

type AppContext = Context<{ Bindings: Env }>;

const MAX_BODY_BYTES = 16 * 1024;

const app = new Hono<{ Bindings: Env }>();

app.use(dataOnly, localHost, sameOrigin, rateLimit);
app.post("*", bearerToken, bodyLimit({ maxSize: MAX_BODY_BYTES, onError: refuseBody }));

app.get("/", (c) => c.json({ service: "reservation-workflow", endpoints: Object.values(OPERATIONS) }));

app.get("/openapi.json", (c) => c.json(OPENAPI));

app.post("/reserve", jsonOnly, async (c) => {
  const request = parseRequest(await readJson(c), crypto.randomUUID());
  const { reservationId, seatId } = request;
  const seat = c.env.SEAT.getByName(seatId);

  // The claim comes before the workflow, so that whoever asks about the id from now on finds it.
  const claimed = await c.env.DIRECTORY.getByName(reservationId).claim(request);
  if (!sameRequest(claimed.request, request)) {
    throw new ApiError("reservation_conflict", `Reservation ${reservationId} was made with other input.`);
  }
  const existing = claimed.known ? await seat.get(reservationId) : undefined;
  if (existing) return reserved(c, existing, 200);

  await startWorkflow(c.env, request);
  const reservation = await seat.waitForHold(reservationId);
  if (!reservation) return pending(c, reservationId);
  return reserved(c, reservation, 201);
});

app.post("/confirm/:id", (c) => decide(c, "confirm"));
app.post("/cancel/:id", (c) => decide(c, "cancel"));

app.get("/reservation/:id", async (c) => {
  const { reservationId, seatId } = await findRequest(c);
  const reservation = await c.env.SEAT.getByName(seatId).get(reservationId);
  if (!reservation) return pending(c, reservationId);
  return c.json({ reservation, statusUrl: statusUrl(c, reservationId) });
});

app.get("/workflow/:id", async (c) => {
  const id = parseReservationId(c.req.param("id"));
  const [instance, request] = await Promise.all([
    readInstance(c.env, id),
    c.env.DIRECTORY.getByName(id).get(),
  ]);
  if (!instance && !request) throw notFound(id);
  const reservation = request && (await c.env.SEAT.getByName(request.seatId).get(id));
  return c.json({ instance: instance ?? null, reservation: reservation ?? null });
});

for (const endpoint of Object.values(OPERATIONS)) {
  const [method, path] = endpoint.split(" ") as [string, string];
  app.all(path, () => {
    throw new ApiError("method_not_allowed", `${path} takes ${method} only.`, {}, { Allow: method });
  });
}

app.notFound((c) => errorResponse(c, new ApiError("not_found", `There is no ${c.req.path}.`)));

app.onError((error, c) => {
  if (error instanceof ApiError) return errorResponse(c, error);
  if (error instanceof InvalidRequest) {
    return errorResponse(c, new ApiError("invalid_request", error.message, { fields: error.fields }));
  }
  console.error(error);
  return errorResponse(c, new ApiError("internal_error", "The service failed; it is safe to try again."));
});

export default app satisfies ExportedHandler<Env>;

/** The seat decides, and only then is the workflow told. */
async function decide(c: AppContext, decision: "confirm" | "cancel"): Promise<Response> {
  const { reservationId, seatId, strategy } = await findRequest(c);
  const seat = c.env.SEAT.getByName(seatId);
  if (!(await seat.waitForHold(reservationId))) throw notFound(reservationId);

  const reservation = await seat[decision](reservationId);
  if (reservation.status !== (decision === "confirm" ? "confirmed" : "cancelled"))
    throw lostRace(reservation);
  if (strategy === "event") c.executionCtx.waitUntil(wakeWorkflow(c.env, reservation, decision));
  return c.json({ reservation, statusUrl: statusUrl(c, reservationId) });
}

function lostRace(reservation: Reservation): ApiError {
  const message = describe(reservation);
  switch (reservation.status) {
    case "confirmed":
      return new ApiError("already_confirmed", message, { reservation });
    case "cancelled":
      return new ApiError("already_cancelled", message, { reservation });
    case "rejected":
      return new ApiError("rejected", message, { reservation });
    default:
      return new ApiError("too_late", message, { reservation });
  }
}

async function findRequest(c: AppContext): Promise<ReservationRequest> {
  const id = parseReservationId(c.req.param("id") ?? "");
  const request = await c.env.DIRECTORY.getByName(id).get();
  if (!request) throw notFound(id);
  return request;
}

async function readJson(c: AppContext): Promise<unknown> {
  try {
    return await c.req.json();
  } catch (error) {
    if (error instanceof SyntaxError) throw new ApiError("invalid_request", "The body is not valid JSON.");
    throw error;
  }
}

function refuseBody(): never {
  throw new ApiError("payload_too_large", `The body must not exceed ${MAX_BODY_BYTES} bytes.`);
}

function reserved(c: AppContext, reservation: Reservation, status: 200 | 201): Response {
  if (reservation.status === "rejected") {
    throw new ApiError("seat_taken", describe(reservation), { reservation });
  }
  return c.json({ reservation, statusUrl: statusUrl(c, reservation.reservationId) }, status);
}

/** The reservation is known, but its hold has not been decided yet. */
function pending(c: AppContext, reservationId: string): Response {
  return c.json({ reservationId, statusUrl: statusUrl(c, reservationId) }, 202);
}

function statusUrl(c: AppContext, reservationId: string): string {
  return new URL(`/workflow/${reservationId}`, c.req.url).href;
}

function notFound(id: string): ApiError {
  return new ApiError("reservation_not_found", `There is no reservation ${id}.`);
}

function errorResponse(c: AppContext, error: ApiError): Response {
  return c.json({ error: error.message, code: error.code, ...error.details }, error.status, error.headers);
}
