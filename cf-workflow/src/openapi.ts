/** The HTTP interface as an OpenAPI 3.1 description, served at /openapi.json. */

import { STATUS, type ErrorCode } from "./errors";

export const OPERATIONS = {
  index: "GET /",
  openapi: "GET /openapi.json",
  reserve: "POST /reserve",
  confirm: "POST /confirm/:id",
  cancel: "POST /cancel/:id",
  reservation: "GET /reservation/:id",
  workflow: "GET /workflow/:id",
} as const;

type Operation = keyof typeof OPERATIONS;

const ALL = Object.keys(OPERATIONS) as Operation[];
const POSTS = ["reserve", "confirm", "cancel"] as const;
const DECISIONS = ["confirm", "cancel"] as const;
const BY_ID = [...DECISIONS, "reservation", "workflow"] as const;

/** Which operations answer with which error. The last three can come from any path and method. */
const ERRORS: Record<ErrorCode, { by: readonly Operation[]; means: string }> = {
  invalid_request: {
    by: ["reserve", ...BY_ID],
    means: "The id or the body is not valid; `fields` says why.",
  },
  unauthorized: { by: POSTS, means: "The Worker has an API token, and the request lacks it." },
  forbidden_host: { by: ALL, means: "On the local stack: the Host is not this machine's." },
  forbidden_origin: { by: ALL, means: "A page of another site sent it." },
  reservation_not_found: { by: BY_ID, means: "There is no such reservation." },
  seat_taken: {
    by: ["reserve"],
    means: "Somebody else has the seat; `reservation.heldUntil` says until when.",
  },
  reservation_conflict: { by: ["reserve"], means: "The id was used with other input." },
  already_confirmed: { by: ["cancel"], means: "It was confirmed before." },
  already_cancelled: { by: ["confirm"], means: "It was cancelled before." },
  rejected: { by: DECISIONS, means: "It never had the seat." },
  too_late: { by: DECISIONS, means: "The hold is over." },
  payload_too_large: { by: POSTS, means: "The body has more than 16 KiB." },
  unsupported_media_type: { by: ["reserve"], means: "The body is not declared as JSON." },
  rate_limited: {
    by: ALL,
    means: "Too many requests from this address; `Retry-After` says how long to wait.",
  },
  not_found: { by: [], means: "There is no such path." },
  method_not_allowed: { by: [], means: "The path takes another method, which `Allow` names." },
  internal_error: {
    by: ["reserve", ...BY_ID],
    means: "The service failed; every request is safe to repeat.",
  },
};

const id = {
  name: "id",
  in: "path",
  required: true,
  description: "The reservation id, which is the id of the workflow instance.",
  schema: schema("ReservationId"),
};
const reservation = { description: "The reservation as its seat has it.", ...json(schema("Reserved")) };
/** What can be asked next about the reservation that was answered. */
const links = Object.fromEntries(
  BY_ID.map((operationId) => [
    operationId,
    { operationId, parameters: { id: "$response.body#/reservation/reservationId" } },
  ]),
);
const pending = { description: "Known, but its hold is not decided yet.", ...json(schema("Pending")) };

export const OPENAPI = {
  openapi: "3.1.0",
  info: {
    title: "Ticket reservation on Cloudflare Workflows",
    version: "1",
    description:
      "Holds a seat for a while; the hold ends confirmed, cancelled or expired. Every request is safe to repeat.",
  },
  paths: {
    "/": {
      get: operation("index", "What the service is.", {
        200: { description: "Its name and its endpoints.", ...json(schema("Index")) },
      }),
    },
    "/openapi.json": {
      get: operation("openapi", "This description.", {
        200: { description: "OpenAPI 3.1.", ...json({ type: "object", required: ["openapi", "paths"] }) },
      }),
    },
    "/reserve": {
      post: {
        ...operation("reserve", "Hold a seat.", {
          200: { ...reservation, description: "The same request was made before.", links },
          201: { ...reservation, description: "The seat is held.", links },
          202: pending,
        }),
        requestBody: { required: true, ...json(schema("Request")) },
      },
    },
    "/confirm/{id}": {
      post: operation("confirm", "Confirm a held seat, for good.", { 200: reservation }),
      parameters: [id],
    },
    "/cancel/{id}": {
      post: operation("cancel", "Give a held seat back.", { 200: reservation }),
      parameters: [id],
    },
    "/reservation/{id}": {
      get: operation("reservation", "The reservation.", { 200: reservation, 202: pending }),
      parameters: [id],
    },
    "/workflow/{id}": {
      get: operation("workflow", "The workflow instance, and the reservation.", {
        200: { description: "Both, null where there is none yet.", ...json(schema("Workflow")) },
      }),
      parameters: [id],
    },
  },
  components: {
    securitySchemes: {
      token: {
        type: "http",
        scheme: "bearer",
        description: "In the cloud, unless deployed with --public; locally none.",
      },
    },
    schemas: {
      ReservationId: { type: "string", pattern: "^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$" },
      Request: {
        type: "object",
        required: ["seatId"],
        properties: {
          seatId: text(64),
          userId: { ...text(128), default: "anonymous" },
          holdSeconds: { type: "integer", minimum: 1, maximum: 2592000, default: 900 },
          strategy: { enum: ["sleep", "event"], default: "sleep" },
          reservationId: { ...schema("ReservationId"), description: "Generated unless given." },
        },
      },
      Reservation: {
        type: "object",
        required: [
          "reservationId",
          "seatId",
          "userId",
          "holdSeconds",
          "strategy",
          "status",
          "createdAt",
          "expiresAt",
        ],
        properties: {
          reservationId: schema("ReservationId"),
          seatId: text(64),
          userId: text(128),
          holdSeconds: { type: "integer", minimum: 1, maximum: 2592000 },
          strategy: { enum: ["sleep", "event"] },
          status: { enum: ["held", "confirmed", "expired", "cancelled", "rejected"] },
          createdAt: schema("Time"),
          expiresAt: schema("Time"),
          confirmedAt: schema("Time"),
          expiredAt: schema("Time"),
          cancelledAt: schema("Time"),
          rejectedAt: schema("Time"),
          heldUntil: {
            ...schema("Time"),
            description: "Only when rejected: when the seat frees. Absent when it was confirmed for good.",
          },
        },
        additionalProperties: false,
      },
      Reserved: closed({ reservation: schema("Reservation"), statusUrl: { type: "string", format: "uri" } }),
      Pending: closed({
        reservationId: schema("ReservationId"),
        statusUrl: { type: "string", format: "uri" },
      }),
      Workflow: closed({
        instance: {
          type: ["object", "null"],
          required: ["id", "status"],
          properties: { id: schema("ReservationId"), status: { type: "string" } },
        },
        reservation: { oneOf: [schema("Reservation"), { type: "null" }] },
      }),
      Index: closed({ service: { type: "string" }, endpoints: { type: "array", items: { type: "string" } } }),
      Error: {
        type: "object",
        required: ["error", "code"],
        properties: {
          error: { type: "string", description: "One sentence." },
          code: { enum: Object.keys(STATUS) },
          fields: {
            type: "object",
            additionalProperties: { type: "string" },
            description: "With invalid_request: the reason for each field.",
          },
          reservation: { ...schema("Reservation"), description: "As it stands, where that is the reason." },
        },
        additionalProperties: false,
      },
      Time: { type: "string", format: "date-time", description: "RFC 3339 in UTC with milliseconds." },
    },
  },
};

function operation(name: Operation, summary: string, success: Record<number, object>) {
  const isPost = POSTS.some((post) => post === name);
  return {
    operationId: name,
    summary,
    // Either: a Worker without a token takes the request without one.
    ...(isPost && { security: [{}, { token: [] }] }),
    responses: { ...success, ...errors(name) },
  };
}

/** The error responses of an operation, by status: several codes may share one. */
function errors(name: Operation): Record<string, object> {
  const codes = (Object.keys(ERRORS) as ErrorCode[]).filter((code) => ERRORS[code].by.includes(name));
  return Object.fromEntries(
    [...new Set(codes.map((code) => STATUS[code]))].map((status) => {
      const same = codes.filter((code) => STATUS[code] === status);
      const told = same.map((code) => `\`${code}\`: ${ERRORS[code].means}`).join(" ");
      const error = { allOf: [schema("Error"), { properties: { code: { enum: same } } }] };
      return [status, { description: told, ...json(error) }];
    }),
  );
}

function json(of: object) {
  return { content: { "application/json": { schema: of } } };
}

function schema(name: string) {
  return { $ref: `#/components/schemas/${name}` };
}

/** Text that can be shown on one line as it is: see UNPRINTABLE in reservation.ts. Lengths are in code points. */
function text(maxLength: number) {
  const unprintable = "\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}";
  return {
    type: "string",
    minLength: 1,
    maxLength,
    pattern: `^[^\\s${unprintable}]([^${unprintable}]*[^\\s${unprintable}])?$`,
  };
}

/** An object with these members, all of them, and no other. */
function closed(properties: Record<string, object>) {
  return { type: "object", required: Object.keys(properties), properties, additionalProperties: false };
}
