import { setTimeout as pause } from "node:timers/promises";
import {
  CallbackError,
  CallbackTimeoutError,
  createRetryStrategy,
  type DurableContext,
  type DurablePromise,
  JitterStrategy,
  type StepConfig,
  withDurableExecution,
} from "@aws/durable-execution-sdk-js";
import { describe, parseRequest } from "./reservation.js";
import type {
  Decision,
  Reservation,
  ReservationOutput,
  ReservationRequest,
  StepResult,
} from "./reservation.js";
import { ReservationConflict, Seats } from "./seats.js";

const backoff = createRetryStrategy({
  maxAttempts: 6,
  initialDelay: { seconds: 1 },
  backoffRate: 2,
  jitter: JitterStrategy.NONE,
});
const RETRIES: StepConfig<StepResult> = {
  retryStrategy: (error, attempts) =>
    error instanceof ReservationConflict ? { shouldRetry: false } : backoff(error, attempts),
};

const seats = Seats.fromEnvironment();

/** Holds a seat, waits for the hold to run out or for a confirmation, and finalizes the reservation. */
export const handler = withDurableExecution(
  async (event: unknown, context: DurableContext): Promise<ReservationOutput> => {
    const request = parseRequest(event, executionName(context));
    // Made before the hold, so that whoever can see the hold can already signal; it is awaited below.
    const [confirmation, callbackId] =
      request.strategy === "event"
        ? await context.createCallback("await-confirmation", { timeout: { seconds: request.holdSeconds } })
        : [undefined, undefined];

    const hold = await context.step("create-hold", () => createHold(request, callbackId), RETRIES);
    if (hold.reservation.status === "rejected") {
      return {
        message: describe(hold.reservation),
        reservation: hold.reservation,
        clock: { "create-hold": hold.clock },
      };
    }

    const decision = confirmation ? await awaitConfirmation(confirmation) : await sleep(context, request);
    if (decision === "expire") await leaseEnd(hold.reservation);

    const final = await context.step("finalize", () => finalize(request, decision), RETRIES);
    return {
      message: describe(final.reservation),
      reservation: final.reservation,
      clock: { "create-hold": hold.clock, finalize: final.clock },
    };
  },
);

async function createHold(request: ReservationRequest, callbackId?: string): Promise<StepResult> {
  console.log("create-hold begins");
  const began = Date.now();
  const reservation = await seats.hold(request, callbackId);
  return { reservation, clock: { began, ended: Date.now() } };
}

async function finalize({ reservationId }: ReservationRequest, decision: Decision): Promise<StepResult> {
  console.log("finalize begins");
  const began = Date.now();
  const reservation = await seats[decision](reservationId);
  return { reservation, clock: { began, ended: Date.now() } };
}

/** Sleeps the whole hold and then looks: a confirmation in the meantime has been decided by the seat. */
async function sleep(context: DurableContext, { holdSeconds }: ReservationRequest): Promise<Decision> {
  await context.wait("hold-window", { seconds: holdSeconds });
  return "expire";
}

/** Wakes at once on a confirmation or a cancel. */
async function awaitConfirmation(confirmation: DurablePromise<string>): Promise<Decision> {
  try {
    return decisionOf(await confirmation);
  } catch (error) {
    if (error instanceof CallbackTimeoutError) return "expire";
    if (error instanceof CallbackError) return "cancel";
    throw error;
  }
}

/** The callback's time began before the hold did: by as much, the hold is not over yet. */
async function leaseEnd({ expiresAt }: Reservation): Promise<void> {
  const left = () => Date.parse(expiresAt) - Date.now();
  while (left() > 0) await pause(left());
}

/** A signal confirms, unless its payload is `{"action": "cancel"}`. */
function decisionOf(payload: string | undefined): Decision {
  try {
    const signal = JSON.parse(payload ?? "null") as { action?: unknown } | null;
    return signal?.action === "cancel" ? "cancel" : "confirm";
  } catch (error) {
    if (error instanceof SyntaxError) return "confirm";
    throw error;
  }
}

/** From `arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION/durable-execution/EXECUTION-NAME/ID`. */
function executionName({ executionContext: { durableExecutionArn } }: DurableContext): string {
  return /\/durable-execution\/([^/]+)\//.exec(durableExecutionArn)?.[1] ?? durableExecutionArn;
}
