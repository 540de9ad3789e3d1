import type { Heartbeat, HistoryEntry } from "@/api/devices";
import { t } from "@/lib/i18n";

/** What one chart shows: Unix seconds and values, oldest first. */
export interface MetricSeries {
  id: string;
  title: string;
  unit: string;
  points: { at: number; value: number | null }[];
}

export interface Mark {
  at: number;
  label: string;
  failed: boolean;
}

const MIB_PER_GIB = 1024;
/** A device may report any number of metrics; more charts than this help nobody. */
const MOST_WORKLOAD_METRICS = 24;

export function seriesOf(beats: Heartbeat[]): MetricSeries[] {
  if (beats.length === 0) return [];
  const oldestFirst = beats.toReversed();
  const chart = (id: string, title: string, unit: string, value: (beat: Heartbeat) => number | null | undefined) => ({
    id,
    title,
    unit,
    points: oldestFirst.map((beat) => ({ at: seconds(beat.received_at), value: value(beat) ?? null })),
  });
  const metrics = [...new Set(beats.flatMap((beat) => Object.keys(beat.metrics)))]
    .sort()
    .slice(0, MOST_WORKLOAD_METRICS);
  const fixed = [
    chart("cpu", t("devices.cpu"), "%", (beat) => beat.cpu_pct),
    chart("memory", t("devices.memory"), "MiB", (beat) => beat.memory_mb),
    chart("disk", t("metrics.diskFree"), "GiB", (beat) =>
      beat.disk_free_mb == null ? null : beat.disk_free_mb / MIB_PER_GIB,
    ),
  ].filter((each) => each.points.some((point) => point.value !== null));
  return [...fixed, ...metrics.map((name) => chart(`metric:${name}`, name, "", (beat) => beat.metrics[name]))];
}

/** When bundles changed: what is drawn on the time axis. */
export function marksOf(history: HistoryEntry[]): Mark[] {
  return history.map((entry) => ({
    at: seconds(entry.completed_at),
    label: `${entry.bundle_name} ${entry.bundle_version}`,
    failed: entry.status !== "success",
  }));
}

function seconds(iso: string): number {
  return new Date(iso).getTime() / 1000;
}
