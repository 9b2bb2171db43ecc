import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Reservation, ReservationRequest } from "../src/reservation.js";
import type { Seats } from "../src/seats.js";
import { type Intercept, isLive, request, startTestDynamodb, type TestDynamodb } from "./dynamodb.js";

let dynamodb: TestDynamodb;
let seats: Seats;

beforeEach(async () => {
  dynamodb = await startTestDynamodb();
  seats = dynamodb.seats();
});
afterEach(() => dynamodb.stop());

/** Looks at all items after each call, and remembers how each reservation ended. */
class Invariants {
  readonly #outcomes = new Map<string, Reservation>();

  async check(): Promise<void> {
    const items = await dynamodb.items();
    const entries = items.filter(({ pk }) => String(pk).startsWith("reservation#"));
    for (const { pk, revision, ...record } of items.filter(({ pk }) => String(pk).startsWith("seat#"))) {
      const onSeat = record as unknown as Reservation;
      expect(pk).toBe(`seat#${onSeat.seatId}`);
      const entry = entries.find((each) => each["pk"] === `reservation#${onSeat.reservationId}`);
      expect(entry).toMatchObject({ seatId: onSeat.seatId, userId: onSeat.userId });
      expect(revision).toBe(onSeat.status === "held" ? 1 : 2);
      if (entry?.["outcome"]) expect(entry["outcome"]).toEqual({ ...onSeat, revision });
      if (onSeat.status === "held") expect(this.#outcomes.has(onSeat.reservationId)).toBe(false);
      else this.saw(onSeat);
    }
    for (const { outcome } of entries) {
      if (!outcome) continue;
      const { revision, ...reservation } = outcome as Reservation & { revision: number };
      expect(revision).toBe(reservation.status === "rejected" ? 1 : 2);
      this.saw(reservation);
    }
  }

  /** No reservation ends twice, nor in two ways. */
  saw(reservation: Reservation): void {
    if (reservation.status === "held") return;
    const before = this.#outcomes.get(reservation.reservationId) ?? reservation;
    expect(reservation).toEqual(before);
    this.#outcomes.set(reservation.reservationId, reservation);
  }
}

class Crash extends Error {}

/** Lets the k-th call crash: before it is sent, or once it was carried out but before its answer is seen. */
function crashAt(k: number, moment: "before" | "after"): Intercept {
  let calls = 0;
  return async (call) => {
    calls += 1;
    if (calls === k && moment === "before") throw new Crash();
    const answer = await call();
    if (calls === k) throw new Crash();
    return answer;
  };
}

const SECOND = 1000;
/** A hold whose lease is over already: the clock of whoever held it was slow. */
async function lapsedHold(seatId: string): Promise<Reservation> {
  const now = Date.now;
  Date.now = () => now() - 60 * SECOND;
  try {
    return await seats.hold(request({ seatId, holdSeconds: 1 }));
  } finally {
    Date.now = now;
  }
}

describe("after a crash at any DynamoDB call, the call can be repeated", () => {
  type Call = (seats: Seats) => Promise<Reservation | undefined>;
  const scenarios: Record<string, { prepare: (seatId: string) => Promise<Call>; ends: string }> = {
    "hold of a free seat": {
      prepare: async (seatId) => holding(request({ seatId })),
      ends: "held",
    },
    "hold of a seat that was cancelled": {
      prepare: async (seatId) => {
        const before = await seats.hold(request({ seatId }));
        await seats.cancel(before.reservationId);
        return holding(request({ seatId }));
      },
      ends: "held",
    },
    "hold of a seat whose lease is over": {
      prepare: async (seatId) => {
        await lapsedHold(seatId);
        return holding(request({ seatId }));
      },
      ends: "held",
    },
    "hold of a held seat": {
      prepare: async (seatId) => {
        await seats.hold(request({ seatId }));
        return holding(request({ seatId }));
      },
      ends: "rejected",
    },
    confirm: {
      prepare: async (seatId) => {
        const { reservationId } = await seats.hold(request({ seatId }));
        return (seats) => seats.confirm(reservationId);
      },
      ends: "confirmed",
    },
    "confirm past the lease": {
      prepare: async (seatId) => {
        const { reservationId } = await lapsedHold(seatId);
        return (seats) => seats.confirm(reservationId);
      },
      ends: "expired",
    },
    cancel: {
      prepare: async (seatId) => {
        const { reservationId } = await seats.hold(request({ seatId }));
        return (seats) => seats.cancel(reservationId);
      },
      ends: "cancelled",
    },
    expire: {
      prepare: async (seatId) => {
        const { reservationId } = await seats.hold(request({ seatId }));
        return (seats) => seats.expire(reservationId);
      },
      ends: "expired",
    },
    "get past the lease": {
      prepare: async (seatId) => {
        const { reservationId } = await lapsedHold(seatId);
        return (seats) => seats.get(reservationId);
      },
      ends: "expired",
    },
  };
  const holding =
    (wanted: ReservationRequest): Call =>
    (seats) =>
      seats.hold(wanted);

  for (const [name, { prepare, ends }] of Object.entries(scenarios)) {
    for (const moment of ["before", "after"] as const) {
      test(`${name}, crash ${moment} the call is carried out`, async () => {
        let crashes = 0;
        for (let completed = false; !completed;) {
          const invariants = new Invariants();
          const call = await prepare(`${name}, ${moment} ${crashes + 1}`);
          try {
            await call(dynamodb.seats(crashAt(crashes + 1, moment)));
            completed = true;
          } catch (error) {
            if (!(error instanceof Crash)) throw error;
            crashes += 1;
          }
          await invariants.check();
          const reservation = await call(seats);
          expect(reservation?.status).toBe(ends);
          expect(await call(seats)).toEqual(reservation);
          await invariants.check();
        }
        expect(crashes).toBeGreaterThan(0);
      });
    }
  }

  test("and a hold that is not repeated blocks the seat for nobody", async () => {
    for (let k = 1; k <= 3; k += 1) {
      const seatId = `abandoned ${k}`;
      const abandoned = request({ seatId, holdSeconds: 1 });
      await expect(dynamodb.seats(crashAt(k, "before")).hold(abandoned)).rejects.toThrow(Crash);
      expect(await seats.get(abandoned.reservationId)).toBeUndefined();
      expect((await seats.hold(request({ seatId }))).status).toBe("held");
      expect((await seats.hold(abandoned)).status).toBe("rejected");
    }
  });
});

/** Runs `meanwhile` before the k-th call is sent: all that may happen while a process is slow. */
function pauseAt(k: number, meanwhile: () => Promise<void>): Intercept & { reached: () => boolean } {
  let calls = 0;
  const intercept: Intercept = async (call) => {
    calls += 1;
    if (calls === k) await meanwhile();
    return call();
  };
  return Object.assign(intercept, { reached: () => calls >= k });
}

describe("a call that is slow at any point keeps the invariants, whatever happens meanwhile", () => {
  type Event = "cancel y" | "hold x" | "cancel x" | "confirm x" | "expire x" | "hold z" | "cancel z";
  const meanwhiles: Event[][] = [
    ["cancel y"],
    ["cancel y", "hold x"],
    ["cancel y", "hold x", "confirm x"],
    ["cancel y", "hold x", "cancel x"],
    ["cancel y", "hold x", "expire x", "hold z"],
    ["cancel y", "hold x", "cancel x", "hold z", "cancel z"],
    ["cancel y", "hold z"],
    ["cancel y", "hold z", "cancel z"],
    ["cancel y", "hold z", "hold x"],
    ["hold x", "cancel y", "hold z", "cancel z"],
  ];
  const slowCalls = {
    hold: (own: Seats, x: ReservationRequest) => own.hold(x),
    confirm: async (own: Seats, x: ReservationRequest) =>
      (await own.get(x.reservationId)) && own.confirm(x.reservationId),
    cancel: async (own: Seats, x: ReservationRequest) =>
      (await own.get(x.reservationId)) && own.cancel(x.reservationId),
    get: (own: Seats, x: ReservationRequest) => own.get(x.reservationId),
  };
  const before = {
    "a free seat": async () => undefined,
    "a seat that y holds": (seatId: string) => seats.hold(request({ seatId })),
    "a seat that y held": async (seatId: string) =>
      seats.cancel((await seats.hold(request({ seatId }))).reservationId),
    "a seat whose lease is over": lapsedHold,
    "a seat that x holds": async (_: string, x: ReservationRequest) => void (await seats.hold(x)),
  };
  const cases = [
    ["hold", "a free seat"],
    ["hold", "a seat that y holds"],
    ["hold", "a seat that y held"],
    ["hold", "a seat whose lease is over"],
    ["confirm", "a seat that x holds"],
    ["cancel", "a seat that x holds"],
    ["get", "a seat that x holds"],
  ] as const;

  test.each(cases)("%s on %s", async (call, seat) => {
    const slowCall = slowCalls[call];
    for (const [index, events] of meanwhiles.entries()) {
      for (let k = 1, reached = true; reached; k += 1) {
        const invariants = new Invariants();
        const seatId = `${index} ${k}`;
        const [x, z] = [request({ seatId }), request({ seatId })];
        const y = await before[seat](seatId, x);
        const happens = async (event: Event) => {
          const [action, who] = event.split(" ") as [
            "hold" | "cancel" | "confirm" | "expire",
            "x" | "y" | "z",
          ];
          const wanted = { x, y, z }[who];
          if (!wanted) return;
          if (action === "hold") invariants.saw(await seats.hold(wanted));
          else if (await seats.get(wanted.reservationId))
            invariants.saw(await seats[action](wanted.reservationId));
          await invariants.check();
        };
        const pause = pauseAt(k, async () => {
          for (const event of events) await happens(event);
        });
        const answer = await slowCall(dynamodb.seats(pause), x);
        reached = pause.reached();
        await invariants.check();
        if (answer) invariants.saw(answer);
        else expect(seat).not.toBe("a seat that x holds");
        for (const { reservationId } of [x, z]) {
          const now = await seats.get(reservationId);
          if (now) invariants.saw(now);
        }
      }
    }
  });
});

/** Stops before each call, and goes on to the next one when told. */
class Stepper {
  #calls = 0;
  #stopped = Promise.withResolvers<void>();
  #goOn = Promise.withResolvers<void>();

  readonly intercept: Intercept = async (call) => {
    this.#calls += 1;
    this.#stopped.resolve();
    await this.#goOn.promise;
    return call();
  };

  /** Runs up to the k-th call, which is not sent yet. */
  async stopBefore(k: number): Promise<void> {
    for (await this.#stopped.promise; this.#calls < k; await this.#stopped.promise) this.goOn();
  }

  goOn(): void {
    const { resolve } = this.#goOn;
    this.#stopped = Promise.withResolvers();
    this.#goOn = Promise.withResolvers();
    resolve();
  }

  /** Stops no more. */
  finish(): void {
    this.#goOn.resolve();
  }
}

test("a hold that is about to reject does not overwrite what a twin of it has brought to an end", async () => {
  const seatId = "A1";
  const [x, y, z] = [request({ seatId }), request({ seatId }), request({ seatId })];
  const [slow, twin] = [new Stepper(), new Stepper()];
  await seats.hold(y);
  const slowHold = dynamodb.seats(slow.intercept).hold(x);
  await slow.stopBefore(2); // It has seen that y holds the seat, and has yet to claim.
  await seats.cancel(y.reservationId);
  const twinHold = dynamodb.seats(twin.intercept).hold(x);
  await twin.stopBefore(4); // It has claimed, has archived y, and has yet to place x.
  await slow.stopBefore(3); // Its claim is the last one; it has yet to look again.
  twin.finish();
  expect((await twinHold).status).toBe("held");
  const cancelled = await seats.cancel(x.reservationId);
  await seats.hold(z);
  slow.finish();
  expect(await slowHold).toEqual(cancelled);
  expect(await seats.get(x.reservationId)).toEqual(cancelled);
});

/** Lets calls wait, and lets one at a time go on, picked by a seeded generator: a run can be repeated. */
class Scheduler {
  readonly #waiting: (() => void)[] = [];
  #active = 0;
  #settled: (() => void) | undefined;

  constructor(private seed: number) {}

  readonly intercept: Intercept = async (call) => {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      this.#pause();
    });
    return call();
  };

  start(actor: () => Promise<void>): Promise<void> {
    this.#active += 1;
    return actor().finally(() => this.#pause());
  }

  /** Runs all actors to their end; `observe` looks after each call. */
  async run(observe: () => Promise<void>): Promise<void> {
    for (;;) {
      if (this.#active > 0) await new Promise<void>((resolve) => (this.#settled = resolve));
      await observe();
      const [next] = this.#waiting.splice(this.#random(this.#waiting.length), 1);
      if (!next) return;
      this.#active += 1;
      next();
    }
  }

  #pause(): void {
    this.#active -= 1;
    if (this.#active === 0) this.#settled?.();
  }

  #random(below: number): number {
    // Park and Miller's generator.
    this.seed = (this.seed * 48_271) % 2_147_483_647;
    return this.seed % Math.max(below, 1);
  }
}

describe("calls that interleave at every DynamoDB call keep the invariants", () => {
  test.each(Array.from({ length: 20 }, (_, index) => index + 1))("order %i", async (seed) => {
    const seatId = `interleaved ${seed}`;
    const scheduler = new Scheduler(seed * 7_919);
    const invariants = new Invariants();
    const [x, y, z] = [request({ seatId }), request({ seatId }), request({ seatId })];
    const saw: Reservation[] = [];
    /** One process: its calls follow each other. */
    const actor = (...calls: ((seats: Seats) => Promise<Reservation | undefined>)[]) =>
      scheduler.start(async () => {
        const own = dynamodb.seats(scheduler.intercept);
        for (const call of calls) {
          const reservation = await call(own);
          if (reservation) {
            invariants.saw(reservation);
            saw.push(reservation);
          }
        }
      });
    const end = (wanted: ReservationRequest, how: "confirm" | "cancel" | "expire") => async (own: Seats) =>
      (await own.get(wanted.reservationId)) && own[how](wanted.reservationId);

    if (seed % 2 === 0) await lapsedHold(seatId);
    const actors = Promise.all([
      // x is held by two processes at once: a step attempt that was given up, but still runs, and its retry.
      actor((own) => own.hold(x), end(x, "cancel")),
      actor((own) => own.hold(x)),
      actor((own) => own.hold(y), end(y, "expire")),
      actor((own) => own.hold(z), end(z, "confirm")),
      actor(end(x, "confirm"), (own) => own.get(y.reservationId)),
    ]);
    await scheduler.run(() => invariants.check());
    await actors;

    for (const reservation of saw) {
      const now = await seats.get(reservation.reservationId);
      if (reservation.status === "held") expect(now).toMatchObject({ createdAt: reservation.createdAt });
      else expect(now).toEqual(reservation);
    }
    const last = await Promise.all([x, y, z].map(({ reservationId }) => seats.get(reservationId)));
    expect(last.filter((each) => each && isLive(each)).length).toBeLessThanOrEqual(1);
  });
});
