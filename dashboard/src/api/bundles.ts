import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";
import { defined, type Paging } from "@/api/devices";
import { ApiFailure } from "@/api/errors";
import { every, LIVE_MS } from "@/api/live";
import { t } from "@/lib/i18n";

export type Bundle = Schemas["Bundle"];

/** A manifest as the API gives it: its schema is published on its own. */
export type Manifest = Record<string, unknown>;

export function bundles(filter: { name?: string | undefined }, paging: Paging = {}) {
  const query = defined({ ...filter, ...paging });
  return queryOptions({
    queryKey: ["bundles", query],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/bundles", { params: { query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: every(LIVE_MS * 2),
  });
}

export function manifest(bundleId: string) {
  return queryOptions({
    queryKey: ["bundle", bundleId, "manifest"],
    queryFn: async ({ signal }): Promise<Manifest> => {
      const params = { path: { bundle_id: bundleId } };
      return (await unwrap(api.GET("/api/v1/bundles/{bundle_id}/manifest", { params, signal }))) as Manifest;
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

const at = (bundleId: string) => ({ params: { path: { bundle_id: bundleId } } });

export const verifyBundle = (id: string) => unwrap(api.POST("/api/v1/bundles/{bundle_id}/verify", at(id)));
export const deleteBundle = (id: string) => unwrap(api.DELETE("/api/v1/bundles/{bundle_id}", at(id)));

const NEWEST = 200;

/** One bundle. The API lists bundles and gives their manifests and bytes; the list's entry holds the facts. */
export function bundle(bundleId: string) {
  return queryOptions({
    queryKey: ["bundles", "one", bundleId],
    queryFn: async ({ signal }): Promise<Bundle> => {
      let cursor: string | undefined;
      for (;;) {
        const query = defined({ limit: NEWEST, cursor });
        const page = await unwrap(api.GET("/api/v1/bundles", { params: { query }, signal }));
        const found = page.bundles.find((each) => each.bundle_id === bundleId);
        if (found !== undefined) return found;
        if (!page.next_cursor) throw new ApiFailure(404, "not_found", t("bundles.gone"), null);
        cursor = page.next_cursor;
      }
    },
    refetchInterval: every(LIVE_MS * 6),
  });
}
