import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { NonRetryableError } from "cloudflare:workflows";
import { audit } from "./audit";
import { describe, parseRequest, sameRequest } from "./reservation";
import type { Decision, Reservation, ReservationOutput, ReservationRequest, StepResult } from "./reservation";

const RETRIES = { retries: { limit: 5, delay: "1 second", backoff: "exponential" } } as const;

/** Holds a seat, waits for the hold to run out or for a confirmation, and finalizes the reservation. */
export class ReservationWorkflow extends WorkflowEntrypoint<Env, unknown> {
  override async run(event: WorkflowEvent<unknown>, step: WorkflowStep): Promise<ReservationOutput> {
    const request = parseRequest(event.payload, event.instanceId);

    const hold = await step.do("create-hold", RETRIES, () => this.#createHold(request));
    if (hold.reservation.status === "rejected") {
      return {
        message: describe(hold.reservation),
        reservation: hold.reservation,
        clock: { "create-hold": hold.clock },
      };
    }

    const decision =
      request.strategy === "sleep" ? await sleep(step, request) : await awaitConfirmation(step, request);
    if (decision === "expire") await leaseEnd(step, hold.reservation);

    const final = await step.do("finalize", RETRIES, () => this.#finalize(request, decision));
    return {
      message: describe(final.reservation),
      reservation: final.reservation,
      clock: { "create-hold": hold.clock, finalize: final.clock },
    };
  }

  async #createHold(request: ReservationRequest): Promise<StepResult> {
    console.log("create-hold begins");
    const began = Date.now();
    const claimed = await this.env.DIRECTORY.getByName(request.reservationId).claim(request);
    if (!sameRequest(claimed.request, request)) {
      throw new NonRetryableError(`Reservation ${request.reservationId} was made with other input.`);
    }
    const reservation = await this.env.SEAT.getByName(request.seatId).hold(request);
    await audit(this.env, reservation);
    return { reservation, clock: { began, ended: Date.now() } };
  }

  async #finalize({ reservationId, seatId }: ReservationRequest, decision: Decision): Promise<StepResult> {
    console.log("finalize begins");
    const began = Date.now();
    const reservation = await this.env.SEAT.getByName(seatId)[decision](reservationId);
    await audit(this.env, reservation);
    return { reservation, clock: { began, ended: Date.now() } };
  }
}

/** Sleeps the whole hold and then looks: a confirmation in the meantime has been decided by the seat. */
async function sleep(step: WorkflowStep, { holdSeconds }: ReservationRequest): Promise<Decision> {
  await step.sleep("hold-window", `${holdSeconds} seconds`);
  return "expire";
}

/** Wakes at once on a confirmation or a cancel. */
async function awaitConfirmation(step: WorkflowStep, { holdSeconds }: ReservationRequest): Promise<Decision> {
  try {
    const { payload } = await step.waitForEvent<{ action?: string }>("await-confirmation", {
      type: "confirmation",
      timeout: `${holdSeconds} seconds`,
    });
    return payload?.action === "cancel" ? "cancel" : "confirm";
  } catch (error) {
    if (isTimeout(error)) return "expire";
    throw error;
  }
}

/** A sleep that began as its engine was killed may be over once that is back: by as much, the hold is not over yet. */
async function leaseEnd(step: WorkflowStep, { expiresAt }: Reservation): Promise<void> {
  const end = Date.parse(expiresAt);
  if (Date.now() < end) await step.sleepUntil("lease-end", end);
}

/** An error that comes from the engine has lost its class and, when it is replayed, its name as well. */
function isTimeout(error: unknown): boolean {
  return error instanceof Error && /WorkflowTimeoutError|Execution timed out/.test(String(error));
}
