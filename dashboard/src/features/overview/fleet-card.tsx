import { Link } from "@tanstack/react-router";
import type { Stats } from "@/api/system";
import { formatNumber, t, word } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { SegmentBar } from "@/ui/bar";
import { Card } from "@/ui/card";
import { Dot, toneOf } from "@/ui/status";

const ORDER = ["online", "degraded", "error", "offline", "pending_approval", "decommissioned"];

/** Devices by status. */
export function FleetCard({ stats }: { stats: Stats }) {
  const segments = ORDER.map((status) => ({
    key: status,
    label: word("status", status),
    count: stats.devices_by_status[status] ?? 0,
    tone: toneOf(status),
  }));
  return (
    <Card title={t("overview.byStatus")}>
      <SegmentBar segments={segments.filter((segment) => segment.key !== "decommissioned")} className="h-3" />
      <ul className="mt-4 grid grid-cols-2 gap-x-6 gap-y-1 sm:grid-cols-3">
        {segments.map((segment) => (
          <li key={segment.key}>
            <Link
              {...paths.devices({ status: segment.key })}
              className="-mx-2 flex items-center gap-2 rounded-lg px-2 py-1.5 hover:bg-hover"
            >
              <Dot tone={segment.tone} />
              <span className="flex-1 truncate text-muted">{segment.label}</span>
              <span className="tabular font-medium">{formatNumber(segment.count)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
