import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useParams } from "@tanstack/react-router";
import { Rocket } from "lucide-react";
import { can, me } from "@/api/auth";
import { device as deviceQuery } from "@/api/devices";
import { deviceLabel } from "@/lib/format";
import { t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { buttonClass } from "@/ui/button";
import { Card } from "@/ui/card";
import { CopyButton } from "@/ui/copy";
import { Failure } from "@/ui/failure";
import { Page, Skeleton } from "@/ui/page";
import { StatusBadge } from "@/ui/status";
import { TabLink, TabList } from "@/ui/tab-links";

/** What every tab of a device shares: its name, its status, and the tabs. */
export function DevicePage() {
  const { deviceId } = useParams({ from: "/app/devices/$deviceId" });
  const { data: device, error, refetch } = useQuery(deviceQuery(deviceId));
  const { data: user } = useQuery(me);
  if (device === undefined) {
    return (
      <Page title={t("device.title")}>
        <Card flush>{error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={8} />}</Card>
      </Page>
    );
  }
  const mayDeploy = can(user, "deployments:write") && device.status !== "decommissioned";
  return (
    <Page
      title={deviceLabel(device)}
      aside={<StatusBadge value={device.status} />}
      lead={
        <span className="inline-flex max-w-full items-center gap-1">
          <code className="truncate font-mono text-xs">{device.device_id}</code>
          <CopyButton text={device.device_id} label={t("device.copyId")} />
        </span>
      }
      actions={
        mayDeploy && (
          <Link {...paths.newDeployment({ devices: deviceId })} className={buttonClass("secondary")}>
            <Rocket aria-hidden="true" size={15} />
            {t("bulk.deploy")}
          </Link>
        )
      }
    >
      <TabList label={t("device.tabs")}>
        <TabLink {...paths.device(deviceId)} exact label={t("device.overview")} />
        <TabLink {...paths.deviceTab(deviceId, "metrics")} label={t("device.metrics")} />
        <TabLink {...paths.deviceTab(deviceId, "bundles")} label={t("device.bundles")} />
        <TabLink {...paths.deviceTab(deviceId, "logs")} label={t("device.logs")} />
        <TabLink {...paths.deviceTab(deviceId, "config")} label={t("device.config")} />
        <TabLink {...paths.deviceTab(deviceId, "settings")} label={t("device.settings")} />
      </TabList>
      <Outlet />
    </Page>
  );
}
