import { DurableObject } from "cloudflare:workers";
import type { ReservationRequest } from "./reservation";

/**
 * One reservation id: who claimed it first, and so which seat to ask about it. Strongly consistent, unlike KV,
 * so that a reservation is found at once after it was asked for.
 */
export class Directory extends DurableObject<Env> {
  /** The first request to claim the id stays; gives the one that has it, and whether it had it before. */
  claim(request: ReservationRequest): { request: ReservationRequest; known: boolean } {
    const stored = this.get();
    if (stored) return { request: stored, known: true };
    this.ctx.storage.kv.put("request", request);
    return { request, known: false };
  }

  get(): ReservationRequest | undefined {
    return this.ctx.storage.kv.get<ReservationRequest>("request");
  }
}
