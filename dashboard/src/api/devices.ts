import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";
import { every, LIVE_MS } from "@/api/live";

export type Device = Schemas["Device"];
export type Config = Schemas["ConfigResponse"];
export type ConfigVersion = Schemas["ConfigVersion"];
export type ConfigPatch = Schemas["ConfigPatch"];
export type Heartbeat = Schemas["HeartbeatRecord"];
export type HistoryEntry = Schemas["HistoryEntry"];
export type LogEntry = Schemas["StoredLogEntry"];

export interface DeviceFilter {
  q?: string | undefined;
  status?: string | undefined;
  tag?: string | undefined;
  bundle_version?: string | undefined;
}

export interface Paging {
  cursor?: string | undefined;
  limit?: number | undefined;
}

export function devices(filter: DeviceFilter, paging: Paging = {}) {
  const query = defined({ ...filter, ...paging });
  return queryOptions({
    queryKey: ["devices", query],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/devices", { params: { query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: every(LIVE_MS),
  });
}

export function device(deviceId: string) {
  return queryOptions({
    queryKey: ["device", deviceId],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/api/v1/devices/{device_id}", { params: { path: { device_id: deviceId } }, signal })),
    refetchInterval: every(LIVE_MS),
  });
}

const BEATS_PER_PAGE = 200;
/** Seven days at a heartbeat per minute would be fifty pages; the newest of them are enough for a chart of this width. */
const MOST_PAGES = 12;

/** The heartbeats of the last seconds, newest first, page by page up to a limit. */
export function heartbeatsSince(deviceId: string, seconds: number) {
  return queryOptions({
    queryKey: ["device", deviceId, "heartbeats", seconds],
    queryFn: async ({ signal }) => {
      const since = Date.now() - seconds * 1000;
      const found: Heartbeat[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const query = defined({ limit: BEATS_PER_PAGE, cursor });
        const params = { path: { device_id: deviceId }, query };
        const answer = await unwrap(api.GET("/api/v1/devices/{device_id}/heartbeats", { params, signal }));
        found.push(...answer.heartbeats.filter((beat) => new Date(beat.received_at).getTime() >= since));
        cursor = answer.next_cursor ?? undefined;
        const oldest = answer.heartbeats.at(-1);
        if (cursor === undefined || oldest === undefined || new Date(oldest.received_at).getTime() < since) break;
      }
      return found;
    },
    placeholderData: keepPreviousData,
    refetchInterval: every(LIVE_MS * 2),
  });
}

export function bundleHistory(deviceId: string) {
  const params = { path: { device_id: deviceId }, query: { limit: 100 } };
  return queryOptions({
    queryKey: ["device", deviceId, "history"],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/devices/{device_id}/bundle-history", { params, signal })),
    refetchInterval: every(LIVE_MS),
  });
}

export function deviceLogs(deviceId: string, level: string, paused: boolean) {
  const params = { path: { device_id: deviceId }, query: { level, limit: 200 } };
  return queryOptions({
    queryKey: ["device", deviceId, "logs", level],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/devices/{device_id}/logs", { params, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: paused ? false : LIVE_MS / 2,
  });
}

export function config(deviceId: string) {
  return queryOptions({
    queryKey: ["device", deviceId, "config"],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/api/v1/devices/{device_id}/config", { params: { path: { device_id: deviceId } }, signal })),
  });
}

export function configVersions(deviceId: string) {
  return queryOptions({
    queryKey: ["device", deviceId, "config", "versions"],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/api/v1/devices/{device_id}/config/versions", { params: { path: { device_id: deviceId } }, signal }),
      ),
  });
}

const at = (deviceId: string) => ({ params: { path: { device_id: deviceId } } });

export const approveDevice = (id: string) => unwrap(api.POST("/api/v1/devices/{device_id}/approve", at(id)));
export const rejectDevice = (id: string) => unwrap(api.POST("/api/v1/devices/{device_id}/reject", at(id)));
export const decommissionDevice = (id: string) => unwrap(api.POST("/api/v1/devices/{device_id}/decommission", at(id)));
export const updateDevice = (id: string, body: Schemas["UpdateDeviceRequest"]) =>
  unwrap(api.PATCH("/api/v1/devices/{device_id}", { ...at(id), body }));
export const putConfig = (id: string, body: ConfigPatch) =>
  unwrap(api.PUT("/api/v1/devices/{device_id}/config", { ...at(id), body }));
export const rollBackConfig = (id: string, version: number) =>
  unwrap(api.POST("/api/v1/devices/{device_id}/config/rollback", { ...at(id), body: { version } }));
export const rollBackDevices = (body: Schemas["RollbackDevicesRequest"]) =>
  unwrap(api.POST("/api/v1/devices/rollback", { body }));

/** Leaves out what has no value, so that equal questions share one place in the cache. */
export function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
