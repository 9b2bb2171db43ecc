import { describe, expect, it } from "vitest";
import { STATUS } from "../src/errors";
import app from "../src/index";
import { OPENAPI } from "../src/openapi";
import { get } from "./client";

type Operations = Record<string, { operationId: string; responses: Record<string, object> }>;

const operations = Object.entries(OPENAPI.paths).flatMap(([path, item]) =>
  Object.entries(item as Operations)
    .filter(([method]) => method !== "parameters")
    .map(([method, operation]) => ({ path, method, operation })),
);

/** The paths of the application itself, as OpenAPI writes them. Middleware and 405s are for all methods. */
const routes = app.routes
  .filter(({ method, path }) => method !== "ALL" && path !== "/*")
  .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/, "{$1}")}`);

function codesIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const { enum: codes } = ((value as { code?: unknown }).code ?? {}) as { enum?: string[] };
  return [...(codes ?? []), ...Object.values(value).flatMap(codesIn)];
}

describe("GET /openapi.json", () => {
  it("is the description, and is listed", async () => {
    const { status, headers, body } = await get("/openapi.json");
    expect(status).toBe(200);
    expect(headers.get("Content-Type")).toBe("application/json");
    expect(body).toEqual(JSON.parse(JSON.stringify(OPENAPI)));
    expect((await get("/")).body.endpoints).toContain("GET /openapi.json");
  });

  it("has the paths of the routes", () => {
    const described = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect(described.toSorted()).toEqual([...new Set(routes)].toSorted());
  });

  it("has every error code, at its status", () => {
    expect(OPENAPI.components.schemas.Error.properties.code.enum.toSorted()).toEqual(
      Object.keys(STATUS).toSorted(),
    );
    const told = operations.flatMap(({ operation }) =>
      Object.entries(operation.responses).flatMap(([status, response]) =>
        codesIn(response).map((code) => [code, Number(status)] as const),
      ),
    );
    // Those two have no operation: they are for what is no path, or no method of it.
    const { not_found: _, method_not_allowed: __, ...others } = STATUS;
    expect(Object.fromEntries(told)).toEqual(others);
  });

  it("refers to nothing that is not there", () => {
    const names = JSON.stringify(OPENAPI).matchAll(/"#\/components\/schemas\/(\w+)"/g);
    const known = Object.keys(OPENAPI.components.schemas);
    expect(
      [...new Set(Array.from(names, ([, name]) => name))].filter((name) => !known.includes(name!)),
    ).toEqual([]);
  });
});
