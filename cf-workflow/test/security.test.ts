import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { get, introspect, newRequest, ORIGIN, post, request } from "./client";

const bindings = env as Env;
const LIMITER = bindings.RATE_LIMIT;

afterEach(() => {
  delete bindings.LOCAL;
  delete bindings.API_TOKEN;
  bindings.RATE_LIMIT = LIMITER;
  vi.restoreAllMocks();
});

/** What is asked with this Host, as a Worker of this address is asked. */
function asked(method: string, url: string, headers: Record<string, string> = {}) {
  const host = new URL(url).host;
  return request(method, url, { headers: { Host: host, ...headers } });
}

describe("on the local stack", () => {
  it.each(["127.0.0.1:8787", "localhost:8787", "LOCALHOST", "127.0.0.1", "[::1]:8787", "127.1:8787"])(
    "answers as %s",
    async (host) => {
      bindings.LOCAL = "1";
      expect((await asked("GET", `http://${host}/`)).status).toBe(200);
    },
  );

  it.each([
    "evil.test",
    "evil.test:8787",
    "127.0.0.1.evil.test:8787",
    "localhost.evil.test",
    "localhost.:8787",
    "0.0.0.0:8787",
    "[::]:8787",
    "[::ffff:127.0.0.1]:8787",
    "127.0.0.2:8787",
    "192.168.1.7:8787",
  ])("refuses GET and POST as %s", async (host) => {
    bindings.LOCAL = "1";
    const refused = { status: 403, body: { code: "forbidden_host" } };
    expect(await asked("GET", `http://${host}/workflow/nobody`)).toMatchObject(refused);
    expect(await asked("POST", `http://${host}/confirm/nobody`)).toMatchObject(refused);
    expect(await asked("POST", `http://${host}/confirm/nobody`, { Origin: `http://${host}` })).toMatchObject(
      refused,
    );
  });

  it.each(["", "evil.test", "user@evil.test", "a b", "127.0.0.1:99999"])(
    "refuses the Host header %o under a local address",
    async (Host) => {
      bindings.LOCAL = "1";
      expect(await asked("GET", "http://127.0.0.1:8787/", { Host })).toMatchObject({
        status: 403,
        body: { code: "forbidden_host" },
      });
    },
  );

  it("limits no rate", async () => {
    bindings.LOCAL = "1";
    bindings.RATE_LIMIT = { limit: () => Promise.reject(new Error("asked")) };
    expect((await asked("GET", "http://127.0.0.1:8787/")).status).toBe(200);
  });
});

describe("in the cloud", () => {
  it("answers under whatever name it is deployed", async () => {
    expect((await asked("GET", "https://reservation-workflow-dev.team.workers.dev/")).status).toBe(200);
    expect((await asked("GET", "https://seats.example.com/")).status).toBe(200);
  });
});

describe("pages of other sites", () => {
  it.each([
    ["GET", "/workflow/nobody", { Origin: "http://evil.test" }],
    ["GET", "/", { Origin: "null" }],
    ["POST", "/confirm/nobody", { Origin: "http://evil.test" }],
    ["POST", "/confirm/nobody", { Origin: "null" }],
    ["POST", "/confirm/nobody", { Origin: `${ORIGIN}.evil.test` }],
    ["POST", "/confirm/nobody", { "Sec-Fetch-Site": "cross-site" }],
    ["POST", "/confirm/nobody", { "Sec-Fetch-Site": "same-site" }],
    ["POST", "/cancel/nobody", { Origin: ORIGIN, "Sec-Fetch-Site": "cross-site" }],
    ["DELETE", "/reservation/nobody", { "Sec-Fetch-Site": "cross-site" }],
  ])("%s %s with %o is refused", async (method, path, headers) => {
    expect(await request(method, path, { headers })).toMatchObject({
      status: 403,
      body: { code: "forbidden_origin" },
    });
  });

  it.each([
    ["GET", "/workflow/nobody", { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate" }],
    ["POST", "/confirm/nobody", { "Sec-Fetch-Site": "same-origin", Origin: ORIGIN }],
    ["POST", "/confirm/nobody", { "Sec-Fetch-Site": "none" }],
    ["POST", "/confirm/nobody", {}],
  ])("%s %s with %o is taken", async (method, path, headers) => {
    expect((await request(method, path, { headers })).status).toBe(404);
  });
});

describe("the rate limit", () => {
  it("answers 429 with the time to wait, before anything else is done", async () => {
    const keys: string[] = [];
    bindings.RATE_LIMIT = {
      limit: ({ key }) => {
        keys.push(key);
        return Promise.resolve({ success: false });
      },
    };
    bindings.API_TOKEN = "s3cret";
    const headers = { "CF-Connecting-IP": "203.0.113.7" };
    for (const answer of [
      await post("/reserve", newRequest(), headers),
      await request("GET", "/workflow/nobody", { headers }),
      await request("GET", "/nowhere", { headers }),
    ]) {
      expect(answer).toMatchObject({ status: 429, body: { code: "rate_limited" } });
      expect(answer.headers.get("Retry-After")).toBe("10");
      expect(answer.headers.get("X-Content-Type-Options")).toBe("nosniff");
    }
    expect(keys).toEqual([
      "worker.test write 203.0.113.7",
      "worker.test read 203.0.113.7",
      "worker.test read 203.0.113.7",
    ]);
  });

  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::6", "2001:db8:1:2"],
    ["2001:db8::6", "2001:db8:0:0"],
    ["2001:db8::", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
  ])("counts %s as %s", async (address, network) => {
    const keys: string[] = [];
    bindings.RATE_LIMIT = {
      limit: ({ key }) => {
        keys.push(key);
        return Promise.resolve({ success: true });
      },
    };
    expect((await request("GET", "/", { headers: { "CF-Connecting-IP": address } })).status).toBe(200);
    expect(keys).toEqual([`worker.test read ${network}`]);
  });

  it("is the platform's: 1,000 requests in 10 s for each address", async () => {
    const headers = { "CF-Connecting-IP": "203.0.113.8" };
    const use = () => LIMITER.limit({ key: "worker.test read 203.0.113.8" });
    const first = await Promise.all(Array.from({ length: 1000 }, use));
    expect(first.every(({ success }) => success)).toBe(true);
    // Again if a period has ended meanwhile.
    await vi.waitFor(
      async () => {
        await Promise.all(Array.from({ length: 1000 }, use));
        expect((await request("GET", "/", { headers })).status).toBe(429);
      },
      { timeout: 50_000 },
    );
    expect((await post("/confirm/nobody", undefined, headers)).status).toBe(404);
    const other = { "CF-Connecting-IP": "203.0.113.9" };
    expect((await request("GET", "/", { headers: other })).status).toBe(200);
  });
});

describe("the token", () => {
  it("is compared as a digest, in constant time", async () => {
    bindings.API_TOKEN = "s3cret";
    const compare = vi.spyOn(crypto.subtle, "timingSafeEqual");
    for (const given of ["", "B", "Bearer s3cre", "Bearer s3cret2", `Bearer ${"x".repeat(5000)}`]) {
      const answer = await post("/confirm/nobody", undefined, { Authorization: given });
      expect(answer).toMatchObject({ status: 401, body: { code: "unauthorized" } });
      expect(answer.headers.get("WWW-Authenticate")).toBe("Bearer");
    }
    expect((await post("/confirm/nobody", undefined, { Authorization: "Bearer s3cret" })).status).toBe(404);
    expect(compare).toHaveBeenCalledTimes(6);
    for (const [a, b] of compare.mock.calls) expect([a.byteLength, b.byteLength]).toEqual([32, 32]);
  });

  it("is asked for before the body is read", async () => {
    bindings.API_TOKEN = "s3cret";
    const huge = JSON.stringify({ seatId: "x".repeat(100_000) });
    expect((await post("/reserve", huge)).status).toBe(401);
  });
});

/** `bytes` of JSON that come in pieces and without a Content-Length; `sent` counts what was asked for. */
function chunked(bytes: number) {
  const counter = { sent: 0 };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (counter.sent >= bytes) return controller.close();
      const piece = new Uint8Array(Math.min(4096, bytes - counter.sent)).fill(0x20);
      counter.sent += piece.length;
      controller.enqueue(piece);
    },
  });
  return { body, counter };
}

describe("bodies", () => {
  it.each(["/reserve", "/confirm/nobody", "/cancel/nobody"])(
    "%s reads no more than 16 KiB of one without a length",
    async (path) => {
      const { body, counter } = chunked(64 * 1024 * 1024);
      const answer = await request("POST", path, { headers: { "Content-Type": "application/json" }, body });
      expect(answer).toMatchObject({ status: 413, body: { code: "payload_too_large" } });
      expect(counter.sent).toBeLessThanOrEqual(64 * 1024);
    },
  );

  it("takes a chunked body of up to 16 KiB", async () => {
    const given = newRequest();
    await using _ = await introspect(given);
    const text = JSON.stringify(given);
    const padded = new Blob([text, " ".repeat(16 * 1024 - text.length)]).stream();
    const headers = { "Content-Type": "application/json" };
    expect((await request("POST", "/reserve", { headers, body: padded })).status).toBe(201);
  });

  it.each(["confirm", "cancel"])("%s needs none, and passes over a small one", async (decision) => {
    const given = newRequest();
    await using _ = await introspect(given);
    await post("/reserve", given);
    for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded"]) {
      const answer = await post(`/${decision}/${given.reservationId}`, "status=held", {
        "Content-Type": type,
      });
      expect(answer.status).toBe(200);
      expect(answer.body.reservation?.status).toBe(decision === "confirm" ? "confirmed" : "cancelled");
    }
    const huge = "x".repeat(16 * 1024 + 1);
    expect((await post(`/${decision}/${given.reservationId}`, huge)).status).toBe(413);
  });

  it.each([
    "text/plain",
    "multipart/form-data; boundary=x",
    "application/json5",
    "text/json",
    "application/json, text/plain",
    "*/*",
    "",
  ])("/reserve refuses the content type %o", async (type) => {
    expect(await post("/reserve", newRequest(), { "Content-Type": type })).toMatchObject({
      status: 415,
      body: { code: "unsupported_media_type" },
    });
  });

  it("/reserve refuses a body without a content type", async () => {
    const body = new TextEncoder().encode(JSON.stringify(newRequest()));
    expect(await request("POST", "/reserve", { body })).toMatchObject({ status: 415 });
  });
});

describe("what browsers are told", () => {
  it.each([
    ["GET", "/"],
    ["GET", "/openapi.json"],
    ["GET", "/workflow/nobody"],
    ["GET", "/nowhere"],
    ["PUT", "/reserve"],
    ["POST", "/reserve"],
  ])("%s %s is data, of now, and for nobody else's pages", async (method, path) => {
    const { headers } = await request(method, path);
    expect(headers.get("Content-Type")).toBe("application/json");
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("Cache-Control")).toBe("no-store");
    expect(headers.get("Content-Security-Policy")).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get("Cross-Origin-Resource-Policy")).toBe("same-origin");
    expect(headers.get("Access-Control-Allow-Origin")).toBeNull();
  });

  it("allows no other origin in a preflight", async () => {
    const headers = { Origin: "http://evil.test", "Access-Control-Request-Method": "POST" };
    const answer = await request("OPTIONS", "/reserve", { headers });
    expect(answer.status).toBe(403);
    expect(answer.headers.get("Access-Control-Allow-Origin")).toBeNull();
  });

  it("is told nothing of a failure inside", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    bindings.RATE_LIMIT = { limit: () => Promise.reject(new Error("s3cret detail")) };
    const answer = await get("/");
    expect(answer).toMatchObject({ status: 500, body: { code: "internal_error" } });
    expect(JSON.stringify(answer.body)).not.toContain("s3cret");
  });
});
