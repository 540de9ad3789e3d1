import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Stats } from "@/api/system";
import { formatNumber, t } from "@/lib/i18n";
import { paths } from "@/lib/paths";

const TILE = "grid gap-1 rounded-xl border border-line bg-surface px-4 py-3";

function Figure({ label, value, note }: { label: string; value: string; note?: ReactNode }) {
  return (
    <>
      <span className="text-[0.8125rem] text-muted">{label}</span>
      <span className="tabular text-2xl font-semibold tracking-tight">{value}</span>
      <span className="min-h-4 text-xs text-muted">{note}</span>
    </>
  );
}

/** The figures of the fleet; each leads to the list behind it. */
export function StatTiles({ stats }: { stats: Stats }) {
  const share = stats.total_devices === 0 ? 0 : (stats.online_devices / stats.total_devices) * 100;
  const link = `${TILE} transition-colors hover:border-line-strong hover:bg-hover/50`;
  return (
    <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <Link {...paths.devices()} className={link}>
        <Figure
          label={t("overview.devices")}
          value={formatNumber(stats.total_devices)}
          note={t("overview.onlineShare", { share: formatNumber(share, { maximumFractionDigits: 1 }) })}
        />
      </Link>
      <Link {...paths.devices({ status: "offline" })} className={link}>
        <Figure
          label={t("overview.offline")}
          value={formatNumber(stats.offline_devices)}
          note={t("overview.offlineNote")}
        />
      </Link>
      <Link {...paths.deployments("in_progress")} className={link}>
        <Figure
          label={t("overview.active")}
          value={formatNumber(stats.active_deployments)}
          note={t("overview.bundlesNote", { count: stats.bundles })}
        />
      </Link>
      <Link {...paths.system()} className={link}>
        <Figure
          label={t("overview.heartbeats")}
          value={formatNumber(stats.heartbeats_per_second, { maximumFractionDigits: 2 })}
          note={t("overview.heartbeatsNote")}
        />
      </Link>
    </div>
  );
}
