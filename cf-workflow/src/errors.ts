import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Reservation } from "./reservation";

export const STATUS = {
  invalid_request: 400,
  unauthorized: 401,
  forbidden_host: 403,
  forbidden_origin: 403,
  not_found: 404,
  reservation_not_found: 404,
  method_not_allowed: 405,
  seat_taken: 409,
  reservation_conflict: 409,
  already_confirmed: 409,
  already_cancelled: 409,
  rejected: 409,
  too_late: 410,
  payload_too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  internal_error: 500,
} as const satisfies Record<string, ContentfulStatusCode>;

export type ErrorCode = keyof typeof STATUS;

/** What an error response says beside its code and its sentence. */
interface Details {
  fields?: Record<string, string>;
  reservation?: Reservation;
}

/** An answer other than success: `{error, code, fields?, reservation?}` with the code's HTTP status. */
export class ApiError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: Details = {},
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }

  get status() {
    return STATUS[this.code];
  }
}
