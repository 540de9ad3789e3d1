import createClient from "openapi-fetch";
import { ApiFailure, failureOf } from "@/api/errors";
import type { components, paths } from "@/api/generated/schema";
import { CSRF_HEADER, sessionEnded } from "@/api/session";
import { newKey } from "@/lib/keys";

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
    if (request.method === "GET") return request;
    request.headers.set(CSRF_HEADER, "1");
    if (request.method !== "DELETE") request.headers.set("Idempotency-Key", newKey());
    return request;
  },
  onResponse({ response, request }) {
    // Of these two, the one that asked deals with the refusal.
    const isAsking = /\/auth\/(browser-login|me)$/.test(new URL(request.url).pathname);
    if (response.status === 401 && !isAsking) sessionEnded();
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
