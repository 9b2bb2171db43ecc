import { describe, expect, it } from "vitest";
import { InvalidRequest, parseRequest, sameRequest } from "../src/reservation";

const GIVEN = {
  reservationId: "r-1",
  seatId: "A1",
  userId: "user123",
  holdSeconds: 60,
  strategy: "event",
} as const;

function problems(input: unknown): Record<string, string> {
  try {
    parseRequest(input, "default-id");
  } catch (error) {
    if (error instanceof InvalidRequest) return error.fields;
    throw error;
  }
  return {};
}

describe("parseRequest", () => {
  it("fills in the defaults", () => {
    expect(parseRequest({ seatId: "A1" }, "default-id")).toEqual({
      reservationId: "default-id",
      seatId: "A1",
      userId: "anonymous",
      holdSeconds: 900,
      strategy: "sleep",
    });
  });

  it("keeps what is given and drops what it does not know", () => {
    expect(parseRequest({ ...GIVEN, colour: "red" }, "default-id")).toEqual(GIVEN);
  });

  it.each([
    ["the longest texts", { seatId: "s".repeat(64), userId: "u".repeat(128) }],
    ["code points, not UTF-16 units", { seatId: "💺".repeat(64) }],
    ["inner spaces and other scripts", { seatId: "Reihe 7 / Straße 座" }],
    ["the shortest hold", { seatId: "A1", holdSeconds: 1 }],
    ["the longest hold", { seatId: "A1", holdSeconds: 2_592_000 }],
    ["the longest id", { seatId: "A1", reservationId: "_".repeat(64) }],
  ])("takes %s", (_, input) => {
    expect(problems(input)).toEqual({});
  });

  it.each([
    ["no seat", {}, "seatId"],
    ["an empty seat", { seatId: "" }, "seatId"],
    ["a seat of 300 characters", { seatId: "s".repeat(300) }, "seatId"],
    ["a seat that is a number", { seatId: 7 }, "seatId"],
    ["a control character", { seatId: "A\u00001" }, "seatId"],
    ["a line break", { seatId: "A1\n" }, "seatId"],
    ["a format character", { seatId: "A\u200b1" }, "seatId"],
    ["a line separator", { seatId: "A\u20281" }, "seatId"],
    ["a lone surrogate", { seatId: "A\ud800" }, "seatId"],
    ["leading white space", { seatId: " A1" }, "seatId"],
    ["an empty user", { seatId: "A1", userId: "" }, "userId"],
    ["a user of 129 characters", { seatId: "A1", userId: "u".repeat(129) }, "userId"],
    ["a hold of 0 s", { seatId: "A1", holdSeconds: 0 }, "holdSeconds"],
    ["a hold of 1.5 s", { seatId: "A1", holdSeconds: 1.5 }, "holdSeconds"],
    ["a hold of 400 d", { seatId: "A1", holdSeconds: 400 * 86_400 }, "holdSeconds"],
    ["a hold that is a word", { seatId: "A1", holdSeconds: "banana" }, "holdSeconds"],
    ["a hold that is a text of digits", { seatId: "A1", holdSeconds: "60" }, "holdSeconds"],
    ["an unknown strategy", { seatId: "A1", strategy: "poll" }, "strategy"],
    ["an id with a slash", { seatId: "A1", reservationId: "a/b" }, "reservationId"],
    ["an id that begins with a hyphen", { seatId: "A1", reservationId: "-a" }, "reservationId"],
    ["an id of 65 characters", { seatId: "A1", reservationId: "a".repeat(65) }, "reservationId"],
    ["an array", [], "request"],
    ["null", null, "request"],
    ["a text", "A1", "request"],
  ])("refuses %s", (_, input, field) => {
    expect(Object.keys(problems(input))).toEqual([field]);
  });

  it("tells all that is wrong at once", () => {
    expect(problems({ seatId: "", holdSeconds: 0, strategy: "poll" })).toEqual({
      seatId: "must have 1 to 64 characters",
      holdSeconds: "must be a whole number of seconds from 1 to 2592000",
      strategy: 'must be "sleep" or "event"',
    });
  });
});

describe("sameRequest", () => {
  it.each([
    { reservationId: "r-2" },
    { seatId: "A2" },
    { userId: "u" },
    { holdSeconds: 61 },
    { strategy: "sleep" },
  ])("tells a request from one with %o", (change) => {
    expect(sameRequest(GIVEN, { ...GIVEN })).toBe(true);
    expect(sameRequest(GIVEN, { ...GIVEN, ...change } as typeof GIVEN)).toBe(false);
  });
});
