declare module "dynalite" {
  import type { Server } from "node:http";

  interface Options {
    path?: string;
    createTableMs?: number;
    updateTableMs?: number;
    deleteTableMs?: number;
  }
  /** DynamoDB's API on LevelDB, in memory without a path. Closing the server closes the database. */
  export default function dynalite(options?: Options): Server;
}
