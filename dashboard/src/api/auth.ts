import { queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";
import { every, LIVE_MS } from "@/api/live";

/** Somebody who is logged in, and what they may do. */
export type User = Schemas["Me"];
export type Permission = Schemas["Permission"];
export type Session = Schemas["Session"];

export const me = queryOptions({
  queryKey: ["me"],
  queryFn: ({ signal }) => unwrap(api.GET("/api/v1/auth/me", { signal })),
  staleTime: 60_000,
});

/** Whether somebody may do this; nobody may while it is not known who asks. */
export function can(user: User | undefined, permission: Permission): boolean {
  return user?.permissions.includes(permission) ?? false;
}

/** Logs a browser in: the answer sets the session's cookie. */
export const login = (username: string, password: string) =>
  unwrap(api.POST("/api/v1/auth/browser-login", { body: { username, password } }));

export const logout = () => unwrap(api.POST("/api/v1/auth/logout"));

/** Makes the first admin with the secret of the one-time link. */
export function createFirstAdmin(username: string, password: string, bootstrapToken: string) {
  const body = { username, password, bootstrap_token: bootstrapToken };
  return unwrap(api.POST("/api/v1/auth/register", { body }));
}

export const sessions = queryOptions({
  queryKey: ["sessions"],
  queryFn: ({ signal }) => unwrap(api.GET("/api/v1/auth/sessions", { signal })),
  refetchInterval: every(LIVE_MS * 4),
});

export const endSession = (id: string) =>
  unwrap(api.DELETE("/api/v1/auth/sessions/{session_id}", { params: { path: { session_id: id } } }));
export const endSessions = () => unwrap(api.DELETE("/api/v1/auth/sessions"));
