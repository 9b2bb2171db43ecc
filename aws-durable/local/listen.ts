import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const LOOPBACK_HOST = /^(127\.0\.0\.1|localhost)(:\d+)?$/i;

/** Listens on 127.0.0.1 and gives the port (that of the system's choice for 0). */
export function listen(server: Server, port: number): Promise<number> {
  refuseWebPages(server);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port, backlog: 1024 }, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Stops accepting and waits for the requests under way. */
export function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()));
  });
}

/** A page in the developer's browser must not reach the server: neither as another origin nor by a rebound name. */
function refuseWebPages(server: Server): void {
  const listeners = server.listeners("request") as ((req: IncomingMessage, res: ServerResponse) => void)[];
  server.removeAllListeners("request");
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const { host = "", origin, "sec-fetch-site": site = "none" } = request.headers;
    if (LOOPBACK_HOST.test(host) && origin === undefined && site === "none") {
      for (const listener of listeners) listener(request, response);
    } else {
      response.writeHead(403, { "content-type": "text/plain", connection: "close" });
      response.end("Only programs on this machine may call this server, as 127.0.0.1 or localhost.\n");
    }
  });
}
