import { useQuery } from "@tanstack/react-query";
import { can, me } from "@/api/auth";
import { stats } from "@/api/system";
import { Attention } from "@/features/overview/attention";
import { FirstSteps } from "@/features/overview/first-steps";
import { FleetCard } from "@/features/overview/fleet-card";
import { RunningDeployments } from "@/features/overview/running-deployments";
import { StatTiles } from "@/features/overview/stat-tiles";
import { VersionsCard } from "@/features/overview/versions-card";
import { t } from "@/lib/i18n";
import { Failure } from "@/ui/failure";
import { Page, Skeleton } from "@/ui/page";

export function OverviewPage() {
  const { data, error, refetch } = useQuery(stats);
  const { data: user } = useQuery(me);
  if (data === undefined) {
    return (
      <Page title={t("overview.title")}>
        {error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton />}
      </Page>
    );
  }
  const isNew = data.total_devices === 0 || data.bundles === 0 || Object.keys(data.deployments_by_status).length === 0;
  return (
    <Page title={t("overview.title")}>
      <div className="grid gap-4">
        {isNew && can(user, "devices:write") && <FirstSteps stats={data} />}
        {data.total_devices > 0 && (
          <>
            <StatTiles stats={data} />
            <div className="grid gap-4 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
              <div className="grid content-start gap-4">
                <FleetCard stats={data} />
                <RunningDeployments />
              </div>
              <div className="grid content-start gap-4">
                <Attention stats={data} />
                <VersionsCard />
              </div>
            </div>
          </>
        )}
      </div>
    </Page>
  );
}
