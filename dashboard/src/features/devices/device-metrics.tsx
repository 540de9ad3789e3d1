import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Activity } from "lucide-react";
import { lazy, Suspense } from "react";
import { bundleHistory, heartbeatsSince } from "@/api/devices";
import { marksOf, seriesOf } from "@/features/devices/metric-series";
import { plural, t } from "@/lib/i18n";
import { Card } from "@/ui/card";
import { Empty } from "@/ui/empty";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/page";
import { SegmentedControl } from "@/ui/segmented";

const Chart = lazy(() => import("@/ui/chart").then((module) => ({ default: module.Chart })));

const HOUR = 3_600;
const RANGES = { "1h": HOUR, "6h": 6 * HOUR, "24h": 24 * HOUR, "7d": 7 * 24 * HOUR } as const;
type Range = keyof typeof RANGES;

/** Charts of what the heartbeats brought, with the moments at which the device's bundles changed. */
export function DeviceMetrics() {
  const { deviceId } = useParams({ from: "/app/devices/$deviceId/metrics" });
  const { range: asked } = useSearch({ from: "/app/devices/$deviceId/metrics" });
  const navigate = useNavigate({ from: "/devices/$deviceId/metrics" });
  const range: Range = asked !== undefined && asked in RANGES ? (asked as Range) : "1h";
  const { data, error, refetch } = useQuery(heartbeatsSince(deviceId, RANGES[range]));
  const { data: history } = useQuery(bundleHistory(deviceId));
  const charts = seriesOf(data ?? []);
  const marks = marksOf(history ?? []);
  return (
    <div className="grid gap-4">
      <div data-noprint className="flex flex-wrap items-center justify-between gap-3">
        <SegmentedControl
          label={t("metrics.range")}
          value={range}
          options={Object.keys(RANGES).map((value) => ({ value: value as Range, label: value }))}
          onChange={(next) => void navigate({ search: next === "1h" ? {} : { range: next }, replace: true })}
        />
        <span className="text-xs text-muted">
          {data && `${plural("metrics.points", data.length)} · ${t("metrics.zoom")}`}
        </span>
      </div>
      {data === undefined && (
        <Card flush>
          {error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={4} height="h-24" />}
        </Card>
      )}
      {data !== undefined && charts.length === 0 && (
        <Card flush>
          <Empty icon={Activity} title={t("metrics.none")} text={t("metrics.noneText")} />
        </Card>
      )}
      <div className="grid gap-4 2xl:grid-cols-2">
        {charts.map((chart) => (
          <Card key={chart.id} title={chart.title}>
            <Suspense fallback={<div className="skeleton h-44" />}>
              <Chart title={chart.title} unit={chart.unit} points={chart.points} marks={marks} />
            </Suspense>
          </Card>
        ))}
      </div>
    </div>
  );
}
