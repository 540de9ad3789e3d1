import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";
import { defined, type Paging } from "@/api/devices";
import { every, LIVE_MS } from "@/api/live";

export type AuditRecord = Schemas["AuditRecord"];

export interface AuditFilter {
  actor?: string | undefined;
  action?: string | undefined;
  result?: string | undefined;
  object_id?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
}

export function audit(filter: AuditFilter, paging: Paging = {}) {
  const query = defined({ ...filter, ...paging });
  return queryOptions({
    queryKey: ["audit", query],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/audit", { params: { query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: paging.cursor === undefined ? LIVE_MS * 2 : false,
  });
}

/** Where the chain ends, and what has been signed of it. */
export const checkpoints = queryOptions({
  queryKey: ["audit", "checkpoints"],
  queryFn: ({ signal }) => unwrap(api.GET("/api/v1/audit/checkpoints", { params: { query: { limit: 200 } }, signal })),
  refetchInterval: every(LIVE_MS * 12),
});

/** The address of an export; the browser's own download streams it to disk. */
export function auditExport(filter: AuditFilter, format: "jsonl" | "csv"): string {
  return `/api/v1/audit/export?${new URLSearchParams(defined({ ...filter, format }) as Record<string, string>)}`;
}
