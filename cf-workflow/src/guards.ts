import type { MiddlewareHandler } from "hono";
import { ApiError } from "./errors";

type Guard = MiddlewareHandler<{ Bindings: Env }>;

/** Methods that change nothing. */
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Seconds: the period of the limit in wrangler.jsonc. */
const RATE_PERIOD = 10;

/** For browsers: what is answered here is data, of now, and for whoever asked. */
export const dataOnly: Guard = async (c, next) => {
  await next();
  c.header("Cache-Control", "no-store");
  c.header("X-Content-Type-Options", "nosniff");
  c.header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  c.header("Cross-Origin-Resource-Policy", "same-origin");
};

/**
 * On the local stack, refuses a name other than the machine's own: a page whose name was rebound to 127.0.0.1 is of
 * the same origin as the Worker for its browser.
 */
export const localHost: Guard = async (c, next) => {
  if (c.env.LOCAL) {
    const named = [URL.parse(`http://${c.req.header("Host") ?? ""}`), URL.parse(c.req.url)];
    if (!named.every((url) => url && LOOPBACK.has(url.hostname))) {
      throw new ApiError("forbidden_host", "The local Worker answers as 127.0.0.1 and localhost only.");
    }
  }
  await next();
};

/** Refuses what a page of another site sends: locally there is no token that would stop it. */
export const sameOrigin: Guard = async (c, next) => {
  const origin = c.req.header("Origin");
  if (origin !== undefined && URL.parse(origin)?.host !== new URL(c.req.url).host) {
    throw new ApiError("forbidden_origin", `Requests from ${origin} are refused.`);
  }
  // Browsers say this by themselves, also without an Origin. A link to here from elsewhere is no harm.
  const site = c.req.header("Sec-Fetch-Site") ?? "none";
  if (!SAFE.has(c.req.method) && site !== "same-origin" && site !== "none") {
    throw new ApiError("forbidden_origin", "Requests from pages of other sites are refused.");
  }
  await next();
};

/** In the cloud, holds each address (of IPv6, each /64: all of it is one customer's) to the rate of wrangler.jsonc, reading and writing counted apart. */
export const rateLimit: Guard = async (c, next) => {
  if (!c.env.LOCAL) {
    const kind = SAFE.has(c.req.method) ? "read" : "write";
    const key = `${new URL(c.req.url).host} ${kind} ${network(c.req.header("CF-Connecting-IP") ?? "")}`;
    const { success } = await c.env.RATE_LIMIT.limit({ key });
    if (!success) {
      const headers = { "Retry-After": String(RATE_PERIOD) };
      throw new ApiError("rate_limited", `Too many requests: try again in ${RATE_PERIOD} s.`, {}, headers);
    }
  }
  await next();
};

/** Asks for the bearer token when the Worker has one. */
export const bearerToken: Guard = async (c, next) => {
  const expected = c.env.API_TOKEN;
  if (expected && !(await sameSecret(c.req.header("Authorization") ?? "", `Bearer ${expected}`))) {
    throw new ApiError(
      "unauthorized",
      "This needs the API token: Authorization: Bearer <token>.",
      {},
      {
        "WWW-Authenticate": "Bearer",
      },
    );
  }
  await next();
};

export const jsonOnly: Guard = async (c, next) => {
  const mediaType = c.req.header("Content-Type")?.split(";")[0]?.trim().toLowerCase();
  if (mediaType !== "application/json") {
    throw new ApiError("unsupported_media_type", "The body must be JSON (Content-Type: application/json).");
  }
  await next();
};

/** An IPv4 address as it is; of an IPv6 address its /64. */
function network(address: string): string {
  if (!address.includes(":")) return address;
  const [before = [], after = []] = address.split("::").map((half) => half.split(":").filter(Boolean));
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill("0");
  return [...before, ...zeros, ...after].slice(0, 4).join(":");
}

/** Compares in a time that does not tell where, or by how much in length, the two differ. */
async function sameSecret(given: string, expected: string): Promise<boolean> {
  const digest = (text: string) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const [a, b] = await Promise.all([digest(given), digest(expected)]);
  return crypto.subtle.timingSafeEqual(a, b);
}
