import { queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";
import { setBearer } from "@/api/session";

export type User = Schemas["User"];
export type Role = Schemas["Role"];

export const me = queryOptions({
  queryKey: ["me"],
  queryFn: ({ signal }) => unwrap(api.GET("/api/v1/auth/me", { signal })),
  staleTime: 60_000,
});

export async function login(username: string, password: string): Promise<void> {
  const answer = await unwrap(api.POST("/api/v1/auth/login", { body: { username, password } }));
  setBearer(answer.access_token);
}

export async function logout(): Promise<void> {
  await unwrap(api.POST("/api/v1/auth/logout"));
  setBearer(null);
}

/** Makes the first admin with the secret of the one-time link. */
export function createFirstAdmin(username: string, password: string, bootstrapToken: string): Promise<User> {
  const body = { username, password, bootstrap_token: bootstrapToken };
  return unwrap(api.POST("/api/v1/auth/register", { body }));
}
