import type { Schemas } from "@/api/client";

type Problem = Schemas["Problem"];

/** What went wrong with a request, as far as the control plane or the network tells. */
export class ApiFailure extends Error {
  /** 0 when there was no answer. */
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;

  constructor(status: number, code: string, detail: string, requestId: string | null) {
    super(detail);
    this.name = "ApiFailure";
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }

  static unreachable(cause: unknown): ApiFailure {
    const failure = new ApiFailure(0, "unreachable", "", null);
    failure.cause = cause;
    return failure;
  }
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && "detail" in body;
}

/** Reads problem+json; other bodies (a proxy's page) are named by their status. */
export function failureOf(response: Response, body: unknown): ApiFailure {
  if (isProblem(body)) return new ApiFailure(response.status, body.code, body.detail, body.request_id);
  const detail = `${response.status} ${response.statusText}`.trim();
  return new ApiFailure(response.status, "unknown", detail, response.headers.get("x-request-id"));
}

/** Whether asking again may help: no answer, too many requests, or a control plane in trouble. */
export function isTransient(error: unknown): boolean {
  return error instanceof ApiFailure && (error.status === 0 || error.status === 429 || error.status >= 502);
}
