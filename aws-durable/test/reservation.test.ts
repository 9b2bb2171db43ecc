import { describe, expect, test } from "vitest";
import { InvalidRequest, parseRequest } from "../src/reservation.js";

describe("a request", () => {
  test("gets the defaults", () => {
    expect(parseRequest({ seatId: "A1" }, "execution-1")).toEqual({
      reservationId: "execution-1",
      seatId: "A1",
      userId: "anonymous",
      holdSeconds: 900,
      strategy: "sleep",
    });
  });

  test("keeps what is given, and ignores what is unknown", () => {
    const given = { reservationId: "r_1", seatId: "💺 1", userId: "ü", holdSeconds: 1, strategy: "event" };
    expect(parseRequest({ ...given, color: "red" }, "execution-1")).toEqual(given);
  });

  test.each([
    [{ seatId: "💺".repeat(64) }],
    [{ seatId: "A1", userId: "u".repeat(128) }],
    [{ seatId: "A1", holdSeconds: 2_592_000 }],
    [{ seatId: "A1", reservationId: "r".repeat(64) }],
  ])("may go to the limits: %j", (input) => {
    expect(parseRequest(input, "execution-1")).toMatchObject(input);
  });

  test.each([
    [{}, ["seatId"]],
    [{ seatId: "" }, ["seatId"]],
    [{ seatId: 1 }, ["seatId"]],
    [{ seatId: null }, ["seatId"]],
    [{ seatId: " A1" }, ["seatId"]],
    [{ seatId: "A1\u00a0" }, ["seatId"]],
    [{ seatId: "A\n1" }, ["seatId"]],
    [{ seatId: "A\u200b1" }, ["seatId"]],
    [{ seatId: "A\u20281" }, ["seatId"]],
    [{ seatId: "A\ud8001" }, ["seatId"]],
    [{ seatId: "💺".repeat(65) }, ["seatId"]],
    [{ seatId: "A1", userId: "" }, ["userId"]],
    [{ seatId: "A1", userId: "u".repeat(129) }, ["userId"]],
    [{ seatId: "A1", holdSeconds: 0 }, ["holdSeconds"]],
    [{ seatId: "A1", holdSeconds: 1.5 }, ["holdSeconds"]],
    [{ seatId: "A1", holdSeconds: "900" }, ["holdSeconds"]],
    [{ seatId: "A1", holdSeconds: 2_592_001 }, ["holdSeconds"]],
    [{ seatId: "A1", strategy: "poll" }, ["strategy"]],
    [{ seatId: "A1", reservationId: "-r" }, ["reservationId"]],
    [{ seatId: "A1", reservationId: "r".repeat(65) }, ["reservationId"]],
    [{ seatId: "A1", reservationId: "r/1" }, ["reservationId"]],
    [{ userId: "", holdSeconds: -1 }, ["seatId", "userId", "holdSeconds"]],
    [null, ["request"]],
    ["A1", ["request"]],
    [["A1"], ["request"]],
  ])("is refused with a reason for each field: %j", (input, fields) => {
    expect(() => parseRequest(input, "execution-1")).toThrow(InvalidRequest);
    try {
      parseRequest(input, "execution-1");
    } catch (error) {
      expect(Object.keys((error as InvalidRequest).fields)).toEqual(fields);
    }
  });
});
