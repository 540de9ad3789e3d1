import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { deployments, isActive } from "@/api/deployments";
import { formatNumber, t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { ProgressStrip } from "@/parts/progress-strip";
import { Card } from "@/ui/card";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/page";
import { StatusBadge } from "@/ui/status";
import { Time } from "@/ui/time";

const SHOWN = 6;

/** What runs now, or else what ran last. */
export function RunningDeployments() {
  const { data, error, refetch } = useQuery(deployments({}, { limit: 50 }));
  const active = data?.deployments.filter((deployment) => isActive(deployment.status)) ?? [];
  const shown = (active.length > 0 ? active : (data?.deployments ?? [])).slice(0, SHOWN);
  return (
    <Card
      flush
      title={active.length > 0 ? t("overview.running") : t("overview.recent")}
      actions={
        <Link {...paths.deployments()} className="text-xs text-muted hover:text-ink">
          {t("action.all")}
        </Link>
      }
    >
      {data === undefined && (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={3} />)}
      {data !== undefined && shown.length === 0 && <p className="p-4 text-muted">{t("overview.noDeployments")}</p>}
      <ul className="divide-y divide-line">
        {shown.map((deployment) => (
          <li key={deployment.deployment_id}>
            <Link {...paths.deployment(deployment.deployment_id)} className="grid gap-2 px-4 py-3 hover:bg-hover/60">
              <span className="flex flex-wrap items-center justify-between gap-x-3 gap-y-1">
                <span className="min-w-0 truncate font-medium">
                  {deployment.bundle_name}{" "}
                  <span className="font-mono text-[0.8125rem]">{deployment.bundle_version}</span>
                </span>
                <span className="flex items-center gap-3 text-xs text-muted">
                  <span className="tabular">
                    {t("deployments.ofTotal", {
                      done: formatNumber(deployment.progress.success),
                      total: formatNumber(deployment.progress.total),
                    })}
                  </span>
                  <StatusBadge value={deployment.status} />
                  <Time at={deployment.created_at} />
                </span>
              </span>
              <ProgressStrip progress={deployment.progress} />
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
