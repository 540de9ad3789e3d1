import { queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";
import { every, LIVE_MS } from "@/api/live";

export type Stats = Schemas["Stats"];
export type Health = Schemas["Health"];

export const stats = queryOptions({
  queryKey: ["stats"],
  queryFn: ({ signal }) => unwrap(api.GET("/api/v1/devices/stats", { signal })),
  refetchInterval: every(LIVE_MS),
});

/** The answer is 503 when a part is failing, and its body is still the health. */
export const health = queryOptions({
  queryKey: ["health"],
  queryFn: async ({ signal }): Promise<Health> => {
    const { data, error, response } = await api.GET("/api/v1/health", { signal });
    if (response.status === 503 && error !== undefined) return error as unknown as Health;
    return unwrap(Promise.resolve({ data: data as Health, error, response }));
  },
  refetchInterval: every(LIVE_MS * 2),
});
