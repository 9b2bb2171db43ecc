import { env, exports } from "cloudflare:workers";
import { introspectWorkflowInstance } from "cloudflare:test";
import type { Reservation, ReservationOutput, ReservationRequest } from "../src/reservation";

/** The Worker's own address in these tests. */
export const ORIGIN = "http://worker.test";

export interface Answer {
  status: number;
  headers: Headers;
  body: {
    reservation?: Reservation;
    reservationId?: string;
    statusUrl?: string;
    instance?: { id: string; status: string; output?: ReservationOutput; error?: Error } | null;
    error?: string;
    code?: string;
    fields?: Record<string, string>;
    endpoints?: string[];
  };
}

export async function request(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await exports.default.fetch(new Request(new URL(path, ORIGIN), { ...init, method }));
  return { status: response.status, headers: response.headers, body: await response.json() };
}

export function get(path: string): Promise<Answer> {
  return request("GET", path);
}

export function post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return request("POST", path, {
    headers: { "Content-Type": "application/json", ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

/** A request for a seat of its own, so that tests don't meet on a seat. */
export function newRequest(changes: Partial<ReservationRequest> = {}): ReservationRequest {
  const id = crypto.randomUUID();
  return {
    reservationId: id,
    seatId: `seat-${id}`,
    userId: "user123",
    holdSeconds: 900,
    strategy: "sleep",
    ...changes,
  };
}

export function introspect({ reservationId }: ReservationRequest) {
  return introspectWorkflowInstance(env.RESERVATION_WORKFLOW, reservationId);
}

type Introspector = Awaited<ReturnType<typeof introspect>>;

export async function outputOf(instance: Introspector): Promise<ReservationOutput> {
  await instance.waitForStatus("complete");
  return (await instance.getOutput()) as ReservationOutput;
}
