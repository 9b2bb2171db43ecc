import { ConditionalCheckFailedException, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DeleteCommand, DynamoDBDocumentClient, GetCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";
import type { Reservation } from "../src/reservation.js";

/** For as long as the engine keeps an execution that ended: Lambda's default. */
const RETENTION_MS = 14 * 24 * 3_600_000;
/** By then what a stopped engine left has gone on, and nothing long over still asks for its reservation. */
const FIRST_MS = 5 * 60_000;
const EVERY_MS = 3_600_000;

type Item = Record<string, unknown> & { pk: string };

/** Forgets, every hour, the reservations that ended long ago without their seat. */
export function forgetHourly(client: DynamoDBClient, table: string): void {
  const forget = () => {
    forgetEnded(client, table, Date.now() - RETENTION_MS).catch((error: unknown) => {
      console.error(`Old reservations could not be forgotten: ${String(error)}`);
    });
  };
  setTimeout(() => {
    forget();
    setInterval(forget, EVERY_MS).unref();
  }, FIRST_MS).unref();
}

/**
 * Forgets the reservations that expired, or were cancelled or rejected, before that moment; gives how many. What is
 * held or confirmed stays. Each item is deleted only if it still is as read, and the seat before its entry: so a call
 * at the same time finds either all of a reservation, or what `hold` leaves before it has the seat.
 */
export async function forgetEnded(client: DynamoDBClient, table: string, before: number): Promise<number> {
  const db = DynamoDBDocumentClient.from(client);
  let forgotten = 0;
  let ExclusiveStartKey: Record<string, unknown> | undefined;
  do {
    const page = await db.send(
      new ScanCommand({ TableName: table, ConsistentRead: true, ExclusiveStartKey }),
    );
    for (const item of (page.Items ?? []) as Item[]) {
      const done = item.pk.startsWith("seat#")
        ? await forgetSeat(db, table, item, before)
        : await forgetEntry(db, table, item, before);
      if (done) forgotten += 1;
    }
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
  return forgotten;
}

/** The seat's last reservation, and its entry. */
async function forgetSeat(
  db: DynamoDBDocumentClient,
  TableName: string,
  item: Item,
  before: number,
): Promise<boolean> {
  const { reservationId, status } = item as unknown as Reservation;
  if (!isOver(item, before)) return false;
  const entryKey = { pk: `reservation#${reservationId}` };
  const entry = await db.send(new GetCommand({ TableName, Key: entryKey, ConsistentRead: true }));
  const gone = await remove(db, {
    TableName,
    Key: { pk: item.pk },
    ConditionExpression: "reservationId = :id AND #status = :status",
    ExpressionAttributeNames: { "#status": "status" },
    ExpressionAttributeValues: { ":id": reservationId, ":status": status },
  });
  if (gone && entry.Item) {
    await remove(db, {
      TableName,
      Key: entryKey,
      ConditionExpression: "claim = :claim",
      ExpressionAttributeValues: { ":claim": entry.Item["claim"] },
    });
  }
  return gone;
}

/** A reservation that has left its seat, or never got it. */
async function forgetEntry(
  db: DynamoDBDocumentClient,
  TableName: string,
  item: Item,
  before: number,
): Promise<boolean> {
  const outcome = item["outcome"];
  if (typeof outcome !== "object" || outcome === null) return false;
  if (!isOver(outcome as Record<string, unknown>, before)) return false;
  return remove(db, { TableName, Key: { pk: item.pk }, ConditionExpression: "attribute_exists(outcome)" });
}

function isOver(reservation: Record<string, unknown>, before: number): boolean {
  const status = reservation["status"];
  if (status !== "expired" && status !== "cancelled" && status !== "rejected") return false;
  return Date.parse(String(reservation[`${status}At`])) < before;
}

/** False when the condition did not hold. */
async function remove(
  db: DynamoDBDocumentClient,
  input: ConstructorParameters<typeof DeleteCommand>[0],
): Promise<boolean> {
  try {
    await db.send(new DeleteCommand(input));
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}
