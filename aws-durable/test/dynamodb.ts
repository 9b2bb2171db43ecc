import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { ensureTable, startDynamodb } from "../local/dynamodb.js";
import { close } from "../local/listen.js";
import type { Reservation, ReservationRequest } from "../src/reservation.js";
import { Seats } from "../src/seats.js";

export const TABLE = "reservation-seats-test";

/** Runs around each DynamoDB call of a client; `call` sends it. */
export type Intercept = <T>(call: () => Promise<T>) => Promise<T>;

export interface TestDynamodb {
  endpoint: string;
  /** Seats of a table with a client of their own, whose calls pass through `intercept`. */
  seats(intercept?: Intercept): Seats;
  items(): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

export async function startTestDynamodb(): Promise<TestDynamodb> {
  const { server, port } = await startDynamodb(0);
  const endpoint = `http://127.0.0.1:${port}`;
  const clients: DynamoDBDocumentClient[] = [];
  const newClient = (intercept?: Intercept) => {
    const client = new DynamoDBClient({
      endpoint,
      region: "us-east-2",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      maxAttempts: 1,
    });
    if (intercept) {
      client.middlewareStack.add((next) => (args) => intercept(() => next(args)), { step: "initialize" });
    }
    const db = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
    clients.push(db);
    return { client, db };
  };
  const own = newClient();
  await ensureTable(own.client, TABLE);
  return {
    endpoint,
    seats: (intercept) => new Seats(newClient(intercept).db, TABLE),
    items: async () =>
      (await own.db.send(new ScanCommand({ TableName: TABLE, ConsistentRead: true }))).Items ?? [],
    stop: async () => {
      for (const client of clients) client.destroy();
      server.closeAllConnections();
      await close(server);
    },
  };
}

let requests = 0;

/** A request on a seat of its own, unless told otherwise. */
export function request(given: Partial<ReservationRequest> = {}): ReservationRequest {
  requests += 1;
  return {
    reservationId: `r-${requests}`,
    seatId: `S${requests}`,
    userId: "user123",
    holdSeconds: 900,
    strategy: "sleep",
    ...given,
  };
}

export const isLive = ({ status }: Reservation) => status === "held" || status === "confirmed";
