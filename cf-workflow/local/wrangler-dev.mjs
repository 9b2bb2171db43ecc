// `wrangler dev` of this Worker for one machine: without the inspector, and without the port of the dev registry.
//
// The command cannot go without them, and workerd's inspector takes WebSockets from any page: whoever finds its port
// runs code in the Worker. See docs/security.md.
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { unstable_startWorker } from "wrangler";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8787" },
    "persist-to": { type: "string", default: join(import.meta.dirname, "..", ".wrangler", "state") },
  },
});

const worker = await unstable_startWorker({
  config: join(import.meta.dirname, "..", "wrangler.jsonc"),
  bindings: { LOCAL: { type: "plain_text", value: "1" } },
  dev: {
    remote: false,
    server: { hostname: "127.0.0.1", port: Number(values.port) },
    inspector: false,
    registry: undefined,
    persist: values["persist-to"],
    logLevel: "warn",
  },
});
// Rejects, and so ends the process, when the runtime cannot go on: a port that is taken, for one.
await once(worker.raw, "teardown");
