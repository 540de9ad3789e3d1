import { queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";
import { every, LIVE_MS } from "@/api/live";

export type Group = Schemas["Group"];

export const groups = queryOptions({
  queryKey: ["groups"],
  queryFn: ({ signal }) => unwrap(api.GET("/api/v1/groups", { signal })),
  refetchInterval: every(LIVE_MS * 4),
});

export const createGroup = (body: Schemas["CreateGroupRequest"]) => unwrap(api.POST("/api/v1/groups", { body }));
export const updateGroup = (id: string, body: Schemas["UpdateGroupRequest"]) =>
  unwrap(api.PATCH("/api/v1/groups/{group_id}", { params: { path: { group_id: id } }, body }));
export const deleteGroup = (id: string) =>
  unwrap(api.DELETE("/api/v1/groups/{group_id}", { params: { path: { group_id: id } } }));
