import type { Reservation } from "./reservation";

const KEPT_SECONDS = 24 * 60 * 60;

/** Keeps a copy of the record for a day. It decides nothing, so a failure to write it stops nothing. */
export async function audit(env: Env, reservation: Reservation): Promise<void> {
  const key = `reservation:${reservation.reservationId}`;
  try {
    await env.RESERVATIONS_KV.put(key, JSON.stringify(reservation), { expirationTtl: KEPT_SECONDS });
  } catch (error) {
    console.warn(`No audit copy of ${key} (${reservation.status}):`, error);
  }
}
