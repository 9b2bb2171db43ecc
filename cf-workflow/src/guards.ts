import type { MiddlewareHandler } from "hono";
import { ApiError } from "./errors";

type Guard = MiddlewareHandler<{ Bindings: Env }>;

/** Refuses what a page of another site sends: locally there is no token that would stop it. */
export const sameOrigin: Guard = async (c, next) => {
  const origin = c.req.header("Origin");
  if (origin !== undefined && URL.parse(origin)?.host !== new URL(c.req.url).host) {
    throw new ApiError("forbidden_origin", `Requests from ${origin} are refused.`);
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

/** Compares in a time that does not tell where, or by how much in length, the two differ. */
async function sameSecret(given: string, expected: string): Promise<boolean> {
  const digest = (text: string) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const [a, b] = await Promise.all([digest(given), digest(expected)]);
  return crypto.subtle.timingSafeEqual(a, b);
}
