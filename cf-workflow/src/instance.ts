import type { Reservation, ReservationRequest } from "./reservation";

/** Tells the workflow what the seat has decided; a workflow that misses it learns it at the end of the hold. */
export async function wakeWorkflow(
  env: Env,
  reservation: Reservation,
  action: "confirm" | "cancel",
): Promise<void> {
  const at = reservation.confirmedAt ?? reservation.cancelledAt;
  try {
    const instance = await env.RESERVATION_WORKFLOW.get(reservation.reservationId);
    await instance.sendEvent({ type: "confirmation", payload: { action, at } });
  } catch (error) {
    console.warn(`The workflow ${reservation.reservationId} was not told to ${action}:`, error);
  }
}

/** Creates the instance; one that exists already goes on. */
export async function startWorkflow(env: Env, request: ReservationRequest): Promise<void> {
  try {
    await env.RESERVATION_WORKFLOW.create({ id: request.reservationId, params: request });
  } catch (error) {
    if (!isWorkflowError(error, "instance.already_exists")) throw error;
  }
}

/** Gives the instance's state without its steps, which the binding does not tell. */
export async function readInstance(
  env: Env,
  id: string,
): Promise<({ id: string } & InstanceStatus) | undefined> {
  try {
    const instance = await env.RESERVATION_WORKFLOW.get(id);
    const { status, output, error } = await instance.status();
    return { id, status, ...(output != null && { output }), ...(error != null && { error }) };
  } catch (error) {
    if (isWorkflowError(error, "instance.not_found")) return undefined;
    throw error;
  }
}

/** The Workflows binding puts its error codes into the message. */
function isWorkflowError(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.includes(code);
}
