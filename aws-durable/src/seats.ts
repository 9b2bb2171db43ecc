import { randomUUID } from "node:crypto";
import { ConditionalCheckFailedException, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  UpdateCommand,
  type UpdateCommandOutput,
} from "@aws-sdk/lib-dynamodb";
import { type Reservation, type ReservationRequest, sameRequest } from "./reservation.js";

/** A reservation as it is stored: with how many writes have changed it, 1 when it was made, 2 when it ended. */
interface Stored extends Reservation {
  revision?: number;
}

/** The request of a reservation, found by its id; with its outcome once the seat has moved on. */
interface Entry extends ReservationRequest {
  /** Token of the `hold` call that may write a rejection: the last one to have begun. */
  claim: string;
  callbackId?: string;
  outcome?: Stored;
}

type Ending = "confirmed" | "cancelled" | "expired";

export class ReservationConflict extends Error {
  override readonly name = "ReservationConflict";

  constructor(reservationId: string) {
    super(`Reservation ${reservationId} was made with other input.`);
  }
}

export class ReservationNotFound extends Error {
  override readonly name = "ReservationNotFound";

  constructor(reservationId: string) {
    super(`There is no reservation ${reservationId}.`);
  }
}

const seatKey = (seatId: string) => ({ pk: `seat#${seatId}` });
const entryKey = (reservationId: string) => ({ pk: `reservation#${reservationId}` });
const iso = (ms: number) => new Date(ms).toISOString();
const shown = ({ revision: _revision, ...reservation }: Stored): Reservation => reservation;
const withoutKey = ({ pk: _pk, ...rest }: Record<string, unknown>) => rest;
const isLapsed = ({ status, expiresAt }: Reservation, now: number) =>
  status === "held" && Date.parse(expiresAt) <= now;
const isLive = ({ status }: Reservation) => status === "held" || status === "confirmed";

/**
 * The seats, in one DynamoDB table: decides who has which. Each call is a compare-and-set, is safe to repeat,
 * and gives the reservation as it then stands. A hold past its lease is settled to `expired` by whoever touches
 * it next, so that a hold whose workflow died still ends.
 *
 * `seat#A1` has the record of the seat's present reservation and decides, by conditional writes. A record on it
 * only ever goes from held to ended, and a reservation that has left it never comes back, so "still the record
 * I read" is told by its reservation id and status. `reservation#ID` leads from the id to the seat, and keeps
 * the outcome of a reservation that the seat has moved on from, or that never got it. Three rules keep the two
 * items consistent without a transaction:
 *
 * 1. An outcome is archived before the seat goes to somebody else. So who reads the seat first and the entry
 *    second, and finds the reservation in neither, knows that it was never held.
 * 2. `hold` reads the seat, then claims the entry, then writes to the seat only if it still is as read. So a
 *    reservation with an outcome is never put on a seat again.
 * 3. `hold` rejects only on a look at the seat after its claim, and only while that claim is the last one. So
 *    a slow `hold` can't reject what a later call for the same id has put on the seat.
 */
export class Seats {
  constructor(
    private readonly db: DynamoDBDocumentClient,
    private readonly table: string,
  ) {}

  /** The seats of the table that the function's environment names. */
  static fromEnvironment(): Seats {
    const table = process.env["SEATS_TABLE"];
    if (!table) throw new Error("SEATS_TABLE is not set.");
    const client = new DynamoDBClient({
      requestHandler: { connectionTimeout: 1_000, requestTimeout: 3_000, throwOnRequestTimeout: true },
    });
    const db = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
    return new Seats(db, table);
  }

  /**
   * Holds the seat for the request, or rejects it when somebody else has the seat. `callbackId` is what wakes
   * the workflow. Throws ReservationConflict when the id stands for another request.
   */
  async hold(request: ReservationRequest, callbackId?: string): Promise<Reservation> {
    for (;;) {
      const current = await this.#readSeat(request.seatId);
      if (current?.reservationId === request.reservationId) {
        if (!sameRequest(current, request)) throw new ReservationConflict(request.reservationId);
        return shown(current);
      }
      const claim = randomUUID();
      const outcome = await this.#claim(request, claim, callbackId);
      if (outcome) return shown(outcome);

      const decided =
        current && isLive(current) ? await this.#reject(request, claim) : await this.#place(request, current);
      if (decided) return shown(decided);
    }
  }

  confirm(reservationId: string): Promise<Reservation> {
    return this.#end(reservationId, "confirmed");
  }

  cancel(reservationId: string): Promise<Reservation> {
    return this.#end(reservationId, "cancelled");
  }

  /** Expires a held reservation whatever the clock says: it is the workflow that decides when the hold ends. */
  expire(reservationId: string): Promise<Reservation> {
    return this.#end(reservationId, "expired");
  }

  async get(reservationId: string): Promise<Reservation | undefined> {
    const found = await this.#find(reservationId);
    return found && shown(found);
  }

  /** What wakes the reservation's workflow, if it waits for a signal. */
  async callbackId(reservationId: string): Promise<string | undefined> {
    return (await this.#readEntry(reservationId))?.callbackId;
  }

  async #find(reservationId: string): Promise<Stored | undefined> {
    const entry = await this.#readEntry(reservationId);
    if (!entry || entry.outcome) return entry?.outcome;
    const current = await this.#readSeat(entry.seatId);
    if (current?.reservationId === reservationId) return current;
    return (await this.#readEntry(reservationId))?.outcome;
  }

  async #end(reservationId: string, ending: Ending): Promise<Reservation> {
    for (;;) {
      const entry = await this.#readEntry(reservationId);
      if (entry?.outcome) return shown(entry.outcome);
      const found = entry && ((await this.#endHeld(entry, ending)) ?? (await this.#find(reservationId)));
      if (!found) throw new ReservationNotFound(reservationId);
      if (found.status !== "held") return shown(found);
    }
  }

  /** The seat's present reservation; a lapsed hold is settled on the way. */
  async #readSeat(seatId: string): Promise<Stored | undefined> {
    for (;;) {
      const current = await this.#read<Stored>(seatKey(seatId));
      if (!current || !isLapsed(current, Date.now())) return current;
      const expired = await this.#endHeld(current, "expired");
      if (expired) return expired;
    }
  }

  #readEntry(reservationId: string): Promise<Entry | undefined> {
    return this.#read<Entry>(entryKey(reservationId));
  }

  /** Makes the entry, or takes it over from an earlier `hold` of this request. Gives the outcome if it has one. */
  async #claim(
    request: ReservationRequest,
    claim: string,
    callbackId: string | undefined,
  ): Promise<Stored | undefined> {
    const claimed = await this.#write(
      new PutCommand({
        TableName: this.table,
        Item: { ...entryKey(request.reservationId), ...request, claim, callbackId },
        ConditionExpression:
          "attribute_not_exists(pk) OR (attribute_not_exists(outcome) AND seatId = :seatId AND userId = :userId" +
          " AND holdSeconds = :holdSeconds AND strategy = :strategy)",
        ExpressionAttributeValues: {
          ":seatId": request.seatId,
          ":userId": request.userId,
          ":holdSeconds": request.holdSeconds,
          ":strategy": request.strategy,
        },
      }),
    );
    if (claimed) return undefined;
    const entry = await this.#readEntry(request.reservationId);
    if (!entry || !sameRequest(entry, request)) throw new ReservationConflict(request.reservationId);
    return entry.outcome;
  }

  /** Puts the reservation on the seat if that is still as read: free, or with an ended reservation. */
  async #place(request: ReservationRequest, ended: Stored | undefined): Promise<Stored | undefined> {
    if (ended) await this.#archive(ended);
    const now = Date.now();
    const reservation: Stored = {
      ...request,
      status: "held",
      createdAt: iso(now),
      expiresAt: iso(now + request.holdSeconds * 1000),
      revision: 1,
    };
    const unchanged = ended
      ? {
          ConditionExpression: "reservationId = :id AND #status = :status",
          ExpressionAttributeNames: { "#status": "status" },
          ExpressionAttributeValues: { ":id": ended.reservationId, ":status": ended.status },
        }
      : { ConditionExpression: "attribute_not_exists(pk)" };
    const placed = await this.#write(
      new PutCommand({
        TableName: this.table,
        Item: { ...seatKey(request.seatId), ...reservation },
        ...unchanged,
      }),
    );
    return placed && reservation;
  }

  async #archive(ended: Stored): Promise<void> {
    await this.#write(
      new UpdateCommand({
        TableName: this.table,
        Key: entryKey(ended.reservationId),
        UpdateExpression: "SET outcome = :outcome",
        ConditionExpression: "attribute_exists(pk) AND attribute_not_exists(outcome)",
        ExpressionAttributeValues: { ":outcome": ended },
      }),
    );
  }

  async #reject(request: ReservationRequest, claim: string): Promise<Stored | undefined> {
    const holder = await this.#readSeat(request.seatId);
    if (!holder || !isLive(holder) || holder.reservationId === request.reservationId) return undefined;
    const now = Date.now();
    const reservation: Stored = {
      ...request,
      status: "rejected",
      createdAt: iso(now),
      expiresAt: iso(now + request.holdSeconds * 1000),
      rejectedAt: iso(now),
      ...(holder.status === "held" && { heldUntil: holder.expiresAt }),
      revision: 1,
    };
    const rejected = await this.#write(
      new UpdateCommand({
        TableName: this.table,
        Key: entryKey(request.reservationId),
        UpdateExpression: "SET outcome = :outcome",
        ConditionExpression: "claim = :claim AND attribute_not_exists(outcome)",
        ExpressionAttributeValues: { ":outcome": reservation, ":claim": claim },
      }),
    );
    return rejected && reservation;
  }

  /** Ends the reservation if the seat holds it; one past its lease can only expire. */
  async #endHeld({ seatId, reservationId }: ReservationRequest, ending: Ending): Promise<Stored | undefined> {
    const inTime = ending === "expired" ? "" : " AND expiresAt > :now";
    const written = await this.#write(
      new UpdateCommand({
        TableName: this.table,
        Key: seatKey(seatId),
        // Items made before writes were counted have no revision.
        UpdateExpression:
          "SET #status = :ending, #endedAt = :now, revision = if_not_exists(revision, :one) + :one",
        ConditionExpression: `reservationId = :id AND #status = :held${inTime}`,
        ExpressionAttributeNames: { "#status": "status", "#endedAt": `${ending}At` },
        ExpressionAttributeValues: {
          ":id": reservationId,
          ":held": "held",
          ":ending": ending,
          ":now": iso(Date.now()),
          ":one": 1,
        },
        ReturnValues: "ALL_NEW",
      }),
    );
    return written && (withoutKey(written.Attributes ?? {}) as unknown as Stored);
  }

  async #read<Item>(key: { pk: string }): Promise<Item | undefined> {
    const { Item } = await this.db.send(
      new GetCommand({ TableName: this.table, Key: key, ConsistentRead: true }),
    );
    return Item && (withoutKey(Item) as Item);
  }

  /** Undefined when the condition did not hold. */
  async #write(command: PutCommand | UpdateCommand): Promise<UpdateCommandOutput | undefined> {
    try {
      return await this.db.send(command as UpdateCommand);
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return undefined;
      throw error;
    }
  }
}
