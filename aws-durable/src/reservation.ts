/** The reservation: its types, the rules for a request, and the sentences that tell how it ended. Pure. */

export type Strategy = "sleep" | "event";
export type Status = "held" | "confirmed" | "expired" | "cancelled" | "rejected";
export type Decision = "confirm" | "cancel" | "expire";

export interface ReservationRequest {
  reservationId: string;
  seatId: string;
  userId: string;
  holdSeconds: number;
  strategy: Strategy;
}

/** Times are RFC 3339 in UTC with milliseconds. */
export interface Reservation extends ReservationRequest {
  status: Status;
  createdAt: string;
  expiresAt: string;
  confirmedAt?: string;
  expiredAt?: string;
  cancelledAt?: string;
  rejectedAt?: string;
  /** Only when rejected: when the seat frees. Absent when it was confirmed for good. */
  heldUntil?: string;
}

/** When a step body began and ended, in epoch ms read inside the step. */
export interface StepClock {
  began: number;
  ended: number;
}

export interface StepResult {
  reservation: Reservation;
  clock: StepClock;
}

export interface ReservationOutput {
  message: string;
  reservation: Reservation;
  clock: { "create-hold": StepClock; finalize?: StepClock };
}

/** A request that breaks the rules, with a reason for each field that does. */
export class InvalidRequest extends Error {
  override readonly name = "InvalidRequest";

  constructor(readonly fields: Record<string, string>) {
    super(
      `Invalid reservation request: ${Object.entries(fields)
        .map(([field, reason]) => `${field} ${reason}`)
        .join("; ")}.`,
    );
  }
}

const ID = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const MAX_HOLD_SECONDS = 30 * 24 * 60 * 60;

function idProblem(value: unknown): string | undefined {
  if (typeof value === "string" && ID.test(value)) return undefined;
  return "must be 1 to 64 letters, digits, _ or -, and not begin with -";
}

function textProblem(value: unknown, maxLength: number): string | undefined {
  if (typeof value !== "string") return "must be a string";
  const length = [...value].length;
  if (length < 1 || length > maxLength) return `must have 1 to ${maxLength} characters`;
  if (UNPRINTABLE.test(value)) return "must not contain control or format characters";
  if (value.trim() !== value) return "must not begin or end with white space";
  return undefined;
}

function holdProblem(value: unknown): string | undefined {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_HOLD_SECONDS) {
    return undefined;
  }
  return `must be a whole number of seconds from 1 to ${MAX_HOLD_SECONDS}`;
}

function strategyProblem(value: unknown): string | undefined {
  return value === "sleep" || value === "event" ? undefined : 'must be "sleep" or "event"';
}

/**
 * Takes any JSON value and gives the request with its defaults filled in; `reservationId` is the one to use
 * when the input has none. Unknown fields are ignored. Throws InvalidRequest.
 */
export function parseRequest(input: unknown, reservationId: string): ReservationRequest {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new InvalidRequest({ request: "must be a JSON object" });
  }
  const request = {
    reservationId,
    userId: "anonymous",
    holdSeconds: 900,
    strategy: "sleep",
    ...input,
  } as Record<keyof ReservationRequest, unknown>;
  const problems = Object.entries({
    reservationId: idProblem(request.reservationId),
    seatId: textProblem(request.seatId, 64),
    userId: textProblem(request.userId, 128),
    holdSeconds: holdProblem(request.holdSeconds),
    strategy: strategyProblem(request.strategy),
  }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  if (problems.length > 0) throw new InvalidRequest(Object.fromEntries(problems));

  const { seatId, userId, holdSeconds, strategy } = request;
  return {
    reservationId: request.reservationId,
    seatId,
    userId,
    holdSeconds,
    strategy,
  } as ReservationRequest;
}

/** Takes the id that a call names and gives it back. Throws InvalidRequest. */
export function parseReservationId(value: unknown): string {
  const problem = idProblem(value);
  if (problem !== undefined) throw new InvalidRequest({ reservationId: problem });
  return value as string;
}

/** Whether two requests ask for the same thing: same id and same input is the same reservation. */
export function sameRequest(a: ReservationRequest, b: ReservationRequest): boolean {
  return (
    a.reservationId === b.reservationId &&
    a.seatId === b.seatId &&
    a.userId === b.userId &&
    a.holdSeconds === b.holdSeconds &&
    a.strategy === b.strategy
  );
}

export function describe({ status, seatId, userId }: Reservation): string {
  switch (status) {
    case "held":
      return `Seat ${seatId} is held for ${userId}.`;
    case "confirmed":
      return `Seat ${seatId} is confirmed for ${userId}.`;
    case "expired":
      return `The hold on seat ${seatId} expired.`;
    case "cancelled":
      return `The hold on seat ${seatId} was cancelled.`;
    case "rejected":
      return `Seat ${seatId} is taken.`;
  }
}
