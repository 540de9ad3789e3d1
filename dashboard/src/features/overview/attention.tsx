import { useQuery } from "@tanstack/react-query";
import { Link, type LinkProps } from "@tanstack/react-router";
import { CircleCheck, type LucideIcon, RotateCcw, TriangleAlert, UserCheck, WifiOff } from "lucide-react";
import { type Deployment, deployments } from "@/api/deployments";
import type { Stats } from "@/api/system";
import { plural, t } from "@/lib/i18n";
import { useNow } from "@/lib/now";
import { paths } from "@/lib/paths";
import { Card } from "@/ui/card";
import { cx } from "@/ui/classes";

interface Concern {
  key: string;
  icon: LucideIcon;
  tone: string;
  text: string;
  link: LinkProps;
}

/** A tenth of the fleet at once is no coincidence. */
const STORM_SHARE = 0.1;
const STORM_LEAST = 3;
const RECENT_MS = 24 * 3600 * 1000;

/** What somebody should look at, the worst first. */
export function Attention({ stats }: { stats: Stats }) {
  const { data } = useQuery(deployments({}, { limit: 50 }));
  const now = useNow();
  const concerns = [...fleetConcerns(stats), ...deploymentConcerns(data?.deployments ?? [], now)];
  return (
    <Card title={t("attention.title")} flush>
      {concerns.length === 0 ? (
        <p className="flex items-center gap-2.5 p-4 text-muted">
          <CircleCheck aria-hidden="true" size={16} className="text-ok" />
          {t("attention.none")}
        </p>
      ) : (
        <ul className="divide-y divide-line">
          {concerns.map(({ key, icon: Icon, tone, text, link }) => (
            <li key={key}>
              <Link {...link} className="flex items-start gap-3 px-4 py-2.5 hover:bg-hover/60">
                <Icon aria-hidden="true" size={16} className={cx("mt-0.5 shrink-0", tone)} />
                <span className="min-w-0 break-words">{text}</span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

export function fleetConcerns(stats: Stats): Concern[] {
  const concerns: Concern[] = [];
  const { offline_devices: offline, total_devices: total, pending_devices: pending } = stats;
  const failing = stats.devices_by_status["error"] ?? 0;
  if (failing > 0) {
    const link = paths.devices({ status: "error" });
    concerns.push({
      key: "error",
      icon: TriangleAlert,
      tone: "text-bad",
      text: plural("attention.error", failing),
      link,
    });
  }
  if (offline > 0) {
    const isStorm = offline >= STORM_LEAST && offline / total >= STORM_SHARE;
    const text = plural(isStorm ? "attention.storm" : "attention.offline", offline);
    const tone = isStorm ? "text-bad" : "text-warn";
    concerns.push({ key: "offline", icon: WifiOff, tone, text, link: paths.devices({ status: "offline" }) });
  }
  if (pending > 0) {
    const text = plural("attention.pending", pending);
    concerns.push({ key: "pending", icon: UserCheck, tone: "text-accent", text, link: paths.approvals() });
  }
  return concerns;
}

function deploymentConcerns(all: Deployment[], now: number): Concern[] {
  const recent = all.filter((deployment) => now - new Date(deployment.created_at).getTime() < RECENT_MS);
  return recent.flatMap((deployment): Concern[] => {
    const troubled = deployment.progress.failed + deployment.progress.rolled_back;
    if (troubled === 0) return [];
    const bundle = `${deployment.bundle_name} ${deployment.bundle_version}`;
    const link = paths.deployment(deployment.deployment_id);
    const text = plural("attention.troubled", troubled, { bundle });
    return [{ key: deployment.deployment_id, icon: RotateCcw, tone: "text-warn", text, link }];
  });
}
