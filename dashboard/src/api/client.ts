import createClient from "openapi-fetch";
import { ApiFailure, failureOf } from "@/api/errors";
import type { components, paths } from "@/api/generated/schema";
import { bearer, sessionEnded } from "@/api/session";

/** The wire types of the published document. */
export type Schemas = components["schemas"];

/** How long a read or an action may take; uploads have no such limit. */
const DEADLINE_MS = 30_000;

async function fetchWithDeadline(request: Request): Promise<Response> {
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(DEADLINE_MS)]);
  try {
    return await fetch(new Request(request, { signal }));
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw ApiFailure.unreachable(error);
  }
}

/** The published API, typed from its OpenAPI document. There is no private door. */
export const api = createClient<paths>({ fetch: fetchWithDeadline });

api.use({
  onRequest({ request }) {
    const token = bearer();
    if (token !== null) request.headers.set("Authorization", `Bearer ${token}`);
    if (request.method !== "GET" && request.method !== "DELETE") {
      request.headers.set("Idempotency-Key", crypto.randomUUID());
    }
    return request;
  },
  onResponse({ response, request }) {
    if (response.status === 401 && !request.url.endsWith("/auth/login")) sessionEnded();
  },
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a good answer; anything else is thrown as an `ApiFailure`. */
export async function unwrap<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok || error !== undefined) throw failureOf(response, error);
  return data as T;
}
