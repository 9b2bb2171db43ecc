import { DurableObject } from "cloudflare:workers";
import type { Reservation, ReservationRequest, Status, Strategy } from "./reservation";

/** How long a client that has just reserved is kept waiting for the hold. */
const HOLD_TIMEOUT_MS = 2000;

type Row = {
  reservation_id: string;
  seat_id: string;
  user_id: string;
  hold_seconds: number;
  strategy: Strategy;
  status: Status;
  created_at: number;
  expires_at: number;
  ended_at: number | null;
  held_until: number | null;
  /** How many writes have changed the record: 1 when it was made, 2 when it ended. */
  revision: number;
};

const iso = (ms: number) => new Date(ms).toISOString();

function toReservation(row: Row): Reservation {
  return {
    reservationId: row.reservation_id,
    seatId: row.seat_id,
    userId: row.user_id,
    holdSeconds: row.hold_seconds,
    strategy: row.strategy,
    status: row.status,
    createdAt: iso(row.created_at),
    expiresAt: iso(row.expires_at),
    ...(row.ended_at !== null && { [`${row.status}At`]: iso(row.ended_at) }),
    ...(row.held_until !== null && { heldUntil: iso(row.held_until) }),
  };
}

/**
 * One seat: decides who has it. A method runs to its end before the next one begins (none of them awaits
 * before it has written), so each call is a compare-and-set; each is safe to repeat and gives the reservation
 * as it then stands. A hold past its lease is settled to `expired` by whoever touches it next, so that a hold
 * whose workflow died still ends.
 */
export class Seat extends DurableObject<Env> {
  readonly #sql = this.ctx.storage.sql;
  readonly #waiters = new Set<{ reservationId: string; resolve: () => void }>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS reservations (
        reservation_id TEXT PRIMARY KEY,
        seat_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        hold_seconds INTEGER NOT NULL,
        strategy TEXT NOT NULL,
        status TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        ended_at INTEGER,
        held_until INTEGER,
        revision INTEGER NOT NULL
      );
      CREATE UNIQUE INDEX IF NOT EXISTS one_live_reservation
        ON reservations (seat_id) WHERE status IN ('held', 'confirmed');
    `);
    this.#addRevision();
  }

  /** Holds the seat for the request, or rejects it when somebody else has the seat. */
  hold(request: ReservationRequest): Reservation {
    const now = Date.now();
    this.#settleLease(now);
    const existing = this.#find(request.reservationId);
    if (existing) return toReservation(existing);

    const [live] = this.#sql
      .exec<Row>("SELECT * FROM reservations WHERE status IN ('held', 'confirmed')")
      .toArray();
    this.#sql.exec(
      "INSERT INTO reservations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
      request.reservationId,
      request.seatId,
      request.userId,
      request.holdSeconds,
      request.strategy,
      live ? "rejected" : "held",
      now,
      now + request.holdSeconds * 1000,
      live ? now : null,
      live?.status === "held" ? live.expires_at : null,
    );
    for (const waiter of this.#waiters) {
      if (waiter.reservationId === request.reservationId) waiter.resolve();
    }
    return this.#read(request.reservationId);
  }

  confirm(reservationId: string): Reservation {
    return this.#end(reservationId, "confirmed");
  }

  cancel(reservationId: string): Reservation {
    return this.#end(reservationId, "cancelled");
  }

  /** Expires a held reservation whatever the clock says: it is the workflow that decides when the hold ends. */
  expire(reservationId: string): Reservation {
    return this.#end(reservationId, "expired");
  }

  get(reservationId: string): Reservation | undefined {
    this.#settleLease(Date.now());
    const row = this.#find(reservationId);
    return row && toReservation(row);
  }

  /** Gives the reservation as soon as `hold` has decided it, or undefined when that takes too long. */
  async waitForHold(reservationId: string): Promise<Reservation | undefined> {
    if (!this.#find(reservationId)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const waiter = { reservationId, resolve };
      this.#waiters.add(waiter);
      const timer = setTimeout(resolve, HOLD_TIMEOUT_MS);
      await promise;
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
    return this.get(reservationId);
  }

  #end(reservationId: string, status: "confirmed" | "cancelled" | "expired"): Reservation {
    const now = Date.now();
    this.#settleLease(now);
    this.#sql.exec(
      "UPDATE reservations SET status = ?, ended_at = ?, revision = revision + 1" +
        " WHERE reservation_id = ? AND status = 'held'",
      status,
      now,
      reservationId,
    );
    return this.#read(reservationId);
  }

  /** Seats made before records were counted have no such column. */
  #addRevision(): void {
    const columns = this.#sql.exec<{ name: string }>("PRAGMA table_info(reservations)").toArray();
    if (columns.some(({ name }) => name === "revision")) return;
    this.#sql.exec(`
      ALTER TABLE reservations ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
      UPDATE reservations SET revision = 2 WHERE status IN ('confirmed', 'cancelled', 'expired');
    `);
  }

  #settleLease(now: number): void {
    this.#sql.exec(
      "UPDATE reservations SET status = 'expired', ended_at = ?, revision = revision + 1" +
        " WHERE status = 'held' AND expires_at <= ?",
      now,
      now,
    );
  }

  #find(reservationId: string): Row | undefined {
    return this.#sql
      .exec<Row>("SELECT * FROM reservations WHERE reservation_id = ?", reservationId)
      .toArray()[0];
  }

  #read(reservationId: string): Reservation {
    const row = this.#find(reservationId);
    if (!row) throw new Error(`This seat has no reservation ${reservationId}.`);
    return toReservation(row);
  }
}
