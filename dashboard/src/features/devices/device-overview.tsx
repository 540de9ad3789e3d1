import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { Settings2 } from "lucide-react";
import { bundleHistory, type Device, device as deviceQuery } from "@/api/devices";
import { HistoryList } from "@/features/devices/history-list";
import { formatBytes, formatDuration, formatPercent, groupFingerprint } from "@/lib/format";
import { t, word } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { ProgressBar } from "@/ui/bar";
import { Card, Fact, Facts } from "@/ui/card";
import { CopyButton } from "@/ui/copy";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/page";
import { Status } from "@/ui/status";
import { Tags } from "@/ui/tags";
import { Time } from "@/ui/time";

const MIB = 1024 * 1024;

export function DeviceOverview() {
  const { deviceId } = useParams({ from: "/app/devices/$deviceId/" });
  const { data: device } = useQuery(deviceQuery(deviceId));
  const history = useQuery(bundleHistory(deviceId));
  if (device === undefined) return null;
  return (
    <div className="grid gap-4">
      <PendingConfig device={device} />
      <div className="grid gap-4 lg:grid-cols-2 2xl:grid-cols-3">
        <Card title={t("device.runs")}>
          <Runs device={device} />
        </Card>
        <Card title={t("device.health")}>
          <HealthFacts device={device} />
        </Card>
        <Card title={t("device.identity")} className="lg:col-span-2 2xl:col-span-1">
          <IdentityFacts device={device} />
        </Card>
      </div>
      <Card title={t("device.lastAttempts")} flush>
        {history.data === undefined &&
          (history.error ? (
            <Failure error={history.error} onRetry={() => void history.refetch()} />
          ) : (
            <Skeleton rows={3} />
          ))}
        {history.data !== undefined && <HistoryList entries={history.data.slice(0, 8)} />}
      </Card>
    </div>
  );
}

function PendingConfig({ device }: { device: Device }) {
  if (device.config_version === device.reported_config_version || device.status === "decommissioned") return null;
  return (
    <Link
      {...paths.deviceTab(device.device_id, "config")}
      className="flex items-center gap-2.5 rounded-xl border border-line bg-info-soft px-4 py-2.5 text-info"
    >
      <Settings2 aria-hidden="true" size={16} className="shrink-0" />
      {t("device.configPending", { wanted: device.config_version, reported: device.reported_config_version })}
    </Link>
  );
}

function Runs({ device }: { device: Device }) {
  if (device.bundles.length === 0) return <p className="text-muted">{t("device.runsNothing")}</p>;
  return (
    <ul className="grid gap-2">
      {device.bundles.map((bundle) => (
        <li key={bundle.name} className="flex items-baseline justify-between gap-3">
          <span className="min-w-0 truncate font-medium">{bundle.name}</span>
          <code className="font-mono text-[0.8125rem]">{bundle.version}</code>
        </li>
      ))}
    </ul>
  );
}

function HealthFacts({ device }: { device: Device }) {
  const beat = device.last_heartbeat;
  if (!beat) return <p className="text-muted">{t("device.noHeartbeat")}</p>;
  const used = beat.memory_total_mb ? (beat.memory_mb / beat.memory_total_mb) * 100 : null;
  const { disk_free_mb: free, disk_total_mb: disk } = beat;
  return (
    <div className="grid gap-3">
      <Facts>
        <Fact label={t("device.says")}>
          <Status value={beat.status} />
        </Fact>
        <Fact label={t("devices.seen")}>
          <Time at={device.last_seen_at} />
        </Fact>
        {beat.uptime_secs != null && <Fact label={t("device.uptime")}>{formatDuration(beat.uptime_secs)}</Fact>}
      </Facts>
      <Gauge label={t("devices.cpu")} percent={beat.cpu_pct} text={formatPercent(beat.cpu_pct)} />
      <Gauge
        label={t("devices.memory")}
        percent={used}
        text={`${formatBytes(beat.memory_mb * MIB)}${beat.memory_total_mb ? ` / ${formatBytes(beat.memory_total_mb * MIB)}` : ""}`}
      />
      {free != null && disk != null && disk > 0 && (
        <Gauge
          label={t("device.disk")}
          percent={((disk - free) / disk) * 100}
          text={`${formatBytes((disk - free) * MIB)} / ${formatBytes(disk * MIB)}`}
        />
      )}
    </div>
  );
}

const HIGH = 80;
const VERY_HIGH = 92;

function Gauge({ label, percent, text }: { label: string; percent: number | null; text: string }) {
  const tone = percent === null || percent < HIGH ? "accent" : percent < VERY_HIGH ? "warn" : "bad";
  return (
    <div className="grid gap-1">
      <div className="flex justify-between gap-3">
        <span className="text-muted">{label}</span>
        <span className="tabular">{text}</span>
      </div>
      {percent !== null && <ProgressBar percent={Math.min(percent, 100)} label={label} tone={tone} />}
    </div>
  );
}

function IdentityFacts({ device }: { device: Device }) {
  const metadata = Object.entries(device.hardware_metadata as Record<string, unknown>);
  return (
    <Facts>
      <Fact label={t("devices.type")}>{device.device_type ?? "–"}</Fact>
      <Fact label={t("devices.agent")}>{device.agent_version ?? "–"}</Fact>
      <Fact label={t("devices.registered")}>
        <Time at={device.registered_at} />
      </Fact>
      <Fact label={t("devices.tags")}>
        <Tags tags={device.tags} />
      </Fact>
      <Fact label={t("device.key")}>
        {device.signature_algorithm}
        <span className="flex items-start gap-1">
          <code className="font-mono text-xs leading-relaxed break-words">
            {groupFingerprint(device.key_fingerprint)}
          </code>
          <CopyButton text={device.key_fingerprint} label={t("device.copyFingerprint")} />
        </span>
      </Fact>
      {metadata.map(([key, value]) => (
        <Fact key={key} label={word("hardware", key)}>
          {typeof value === "string" ? value : JSON.stringify(value)}
        </Fact>
      ))}
    </Facts>
  );
}
