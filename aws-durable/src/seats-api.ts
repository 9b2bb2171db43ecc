import {
  CallbackTimeoutException,
  LambdaClient,
  SendDurableExecutionCallbackSuccessCommand,
} from "@aws-sdk/client-lambda";
import { describe, InvalidRequest, parseReservationId, type Reservation } from "./reservation.js";
import { ReservationNotFound, Seats } from "./seats.js";

type Action = "get" | "confirm" | "cancel";

type ErrorCode =
  | "invalid_request"
  | "reservation_not_found"
  | "already_confirmed"
  | "already_cancelled"
  | "rejected"
  | "too_late";

export type SeatsAnswer =
  | { ok: true; reservation: Reservation }
  | {
      ok: false;
      code: ErrorCode;
      error: string;
      reservation?: Reservation;
      fields?: Record<string, string>;
    };

const seats = Seats.fromEnvironment();
const lambda = new LambdaClient({
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 3_000, throwOnRequestTimeout: true },
});

/** Reads, confirms or cancels a reservation from outside: `{action: "get" | "confirm" | "cancel", reservationId}`. */
export async function handler(event: unknown): Promise<SeatsAnswer> {
  try {
    const { action, reservationId } = parseEvent(event);
    return action === "get" ? await read(reservationId) : await decide(reservationId, action);
  } catch (error) {
    if (error instanceof InvalidRequest) {
      return { ok: false, code: "invalid_request", error: error.message, fields: error.fields };
    }
    if (error instanceof ReservationNotFound) {
      return { ok: false, code: "reservation_not_found", error: error.message };
    }
    throw error;
  }
}

async function read(reservationId: string): Promise<SeatsAnswer> {
  const reservation = await seats.get(reservationId);
  if (!reservation) throw new ReservationNotFound(reservationId);
  return { ok: true, reservation };
}

/** The seat decides, and only then is the workflow told. */
async function decide(reservationId: string, action: "confirm" | "cancel"): Promise<SeatsAnswer> {
  const reservation = await seats[action](reservationId);
  if (reservation.status !== (action === "confirm" ? "confirmed" : "cancelled")) {
    return { ok: false, code: lostTo(reservation), error: describe(reservation), reservation };
  }
  if (reservation.strategy === "event") await wakeWorkflow(reservationId, action);
  return { ok: true, reservation };
}

function lostTo({ status }: Reservation): ErrorCode {
  switch (status) {
    case "confirmed":
      return "already_confirmed";
    case "cancelled":
      return "already_cancelled";
    case "rejected":
      return "rejected";
    default:
      return "too_late";
  }
}

/** Best effort: the seat has decided already, a workflow that is not woken notices at its timeout. */
async function wakeWorkflow(reservationId: string, action: "confirm" | "cancel"): Promise<void> {
  const callbackId = await seats.callbackId(reservationId);
  if (callbackId === undefined) return;
  try {
    const Result = new TextEncoder().encode(JSON.stringify({ action }));
    await lambda.send(new SendDurableExecutionCallbackSuccessCommand({ CallbackId: callbackId, Result }));
  } catch (error) {
    // Closed already: by an earlier call of this action, or the timeout came first.
    if (error instanceof CallbackTimeoutException) return;
    console.warn(`Reservation ${reservationId}: its workflow was not woken.`, error);
  }
}

function parseEvent(event: unknown): { action: Action; reservationId: string } {
  const { action, reservationId } = Object(event) as Record<string, unknown>;
  if (action !== "get" && action !== "confirm" && action !== "cancel") {
    throw new InvalidRequest({ action: 'must be "get", "confirm" or "cancel"' });
  }
  return { action, reservationId: parseReservationId(reservationId) };
}
