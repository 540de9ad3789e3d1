import { Link } from "@tanstack/react-router";
import { createColumnHelper } from "@tanstack/react-table";
import type { Device } from "@/api/devices";
import { deviceLabel, formatPercent, shortId } from "@/lib/format";
import { formatNumber, type MessageKey, t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { Status } from "@/ui/status";
import { Tags } from "@/ui/tags";
import { Time } from "@/ui/time";

const column = createColumnHelper<Device>();

/** Every column that the list can show, in order; the name is always there. */
export const COLUMNS: { id: string; label: MessageKey; byDefault: boolean }[] = [
  { id: "status", label: "devices.status", byDefault: true },
  { id: "bundles", label: "devices.runs", byDefault: true },
  { id: "type", label: "devices.type", byDefault: true },
  { id: "tags", label: "devices.tags", byDefault: true },
  { id: "seen", label: "devices.seen", byDefault: true },
  { id: "cpu", label: "devices.cpu", byDefault: false },
  { id: "memory", label: "devices.memory", byDefault: false },
  { id: "agent", label: "devices.agent", byDefault: false },
  { id: "config", label: "devices.config", byDefault: false },
  { id: "registered", label: "devices.registered", byDefault: false },
  { id: "id", label: "devices.id", byDefault: false },
];

export const DEFAULT_COLUMNS = COLUMNS.filter((each) => each.byDefault).map((each) => each.id);

export const columns = [
  column.accessor(deviceLabel, {
    id: "name",
    header: () => t("devices.name"),
    cell: ({ row: { original: device } }) => (
      <Link
        {...paths.device(device.device_id)}
        className="block max-w-72 min-w-28 truncate font-medium hover:text-accent hover:underline"
        title={device.display_name || device.device_id}
      >
        {device.display_name || <span className="font-mono text-[0.8125rem]">{shortId(device.device_id)}</span>}
      </Link>
    ),
  }),
  column.accessor("status", { header: () => t("devices.status"), cell: (cell) => <Status value={cell.getValue()} /> }),
  column.accessor("bundles", {
    header: () => t("devices.runs"),
    cell: (cell) => <Runs bundles={cell.getValue()} />,
  }),
  column.accessor("device_type", {
    id: "type",
    header: () => t("devices.type"),
    cell: (cell) => <span className="block max-w-40 truncate">{cell.getValue() ?? "–"}</span>,
  }),
  column.accessor("tags", {
    header: () => t("devices.tags"),
    cell: (cell) => <Tags tags={cell.getValue()} most={3} />,
  }),
  column.accessor("last_seen_at", {
    id: "seen",
    header: () => t("devices.seen"),
    cell: (cell) => <Time at={cell.getValue()} />,
  }),
  column.accessor((device) => device.last_heartbeat?.cpu_pct, {
    id: "cpu",
    header: () => t("devices.cpu"),
    cell: (cell) => <Figure value={cell.getValue()} format={formatPercent} />,
  }),
  column.accessor((device) => device.last_heartbeat?.memory_mb, {
    id: "memory",
    header: () => t("devices.memory"),
    cell: (cell) => <Figure value={cell.getValue()} format={(value) => `${formatNumber(Math.round(value))} MiB`} />,
  }),
  column.accessor("agent_version", {
    id: "agent",
    header: () => t("devices.agent"),
    cell: (cell) => <span className="font-mono text-[0.8125rem]">{cell.getValue() ?? "–"}</span>,
  }),
  column.accessor("config_version", {
    id: "config",
    header: () => t("devices.config"),
    cell: ({ row: { original: device } }) =>
      device.config_version === device.reported_config_version
        ? device.config_version
        : `${device.reported_config_version} → ${device.config_version}`,
  }),
  column.accessor("registered_at", {
    id: "registered",
    header: () => t("devices.registered"),
    cell: (cell) => <Time at={cell.getValue()} />,
  }),
  column.accessor("device_id", {
    id: "id",
    header: () => t("devices.id"),
    cell: (cell) => <code className="font-mono text-xs">{cell.getValue()}</code>,
  }),
];

function Figure({ value, format }: { value: number | undefined; format: (value: number) => string }) {
  return <span className="tabular">{value === undefined ? "–" : format(value)}</span>;
}

function Runs({ bundles }: { bundles: Device["bundles"] }) {
  const [first, ...others] = bundles;
  if (first === undefined) return <span className="text-faint">–</span>;
  return (
    <span className="block max-w-56 truncate" title={bundles.map((each) => `${each.name} ${each.version}`).join(", ")}>
      {first.name} <span className="font-mono text-[0.8125rem]">{first.version}</span>
      {others.length > 0 && <span className="text-muted"> +{others.length}</span>}
    </span>
  );
}
