import {
  CreateTableCommand,
  type DynamoDBClient,
  ResourceInUseException,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import dynalite from "dynalite";
import type { Server } from "node:http";
import { listen } from "./listen.js";

/** Starts DynamoDB's stand-in, kept in the folder `path` (in memory without one). */
export async function startDynamodb(port: number, path?: string): Promise<{ server: Server; port: number }> {
  const immediately = { createTableMs: 0, updateTableMs: 0, deleteTableMs: 0 };
  const server = dynalite({ ...immediately, ...(path !== undefined && { path }) });
  return { server, port: await listen(server, port) };
}

/** Makes the seats table, unless it is there. */
export async function ensureTable(client: DynamoDBClient, table: string): Promise<void> {
  try {
    await client.send(
      new CreateTableCommand({
        TableName: table,
        AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "S" }],
        KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
        BillingMode: "PAY_PER_REQUEST",
      }),
    );
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
  }
  await waitUntilTableExists({ client, maxWaitTime: 5, minDelay: 0.01, maxDelay: 0.1 }, { TableName: table });
}
