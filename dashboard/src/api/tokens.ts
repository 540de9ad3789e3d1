import { queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";
import { every, LIVE_MS } from "@/api/live";

export type RegistrationToken = Schemas["RegistrationToken"];

export const registrationTokens = queryOptions({
  queryKey: ["registration-tokens"],
  queryFn: ({ signal }) => unwrap(api.GET("/api/v1/registration-tokens", { signal })),
  refetchInterval: every(LIVE_MS * 2),
});

export const createToken = (body: Schemas["CreateRegistrationTokenRequest"]) =>
  unwrap(api.POST("/api/v1/registration-tokens", { body }));
export const revokeToken = (id: string) =>
  unwrap(api.DELETE("/api/v1/registration-tokens/{token_id}", { params: { path: { token_id: id } } }));
