import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import { useState } from "react";
import { can, me } from "@/api/auth";
import { bundleHistory, device as deviceQuery, type HistoryEntry, rollBackDevices } from "@/api/devices";
import { HistoryList } from "@/features/devices/history-list";
import { cli, curl } from "@/lib/commands";
import { deviceLabel } from "@/lib/format";
import { t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Confirm } from "@/ui/confirm";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/page";

/** Every change of what the device runs, and the way back to a version that worked. */
export function DeviceBundles() {
  const { deviceId } = useParams({ from: "/app/devices/$deviceId/bundles" });
  const { data: device } = useQuery(deviceQuery(deviceId));
  const { data: user } = useQuery(me);
  const history = useQuery(bundleHistory(deviceId));
  const [wanted, setWanted] = useState<HistoryEntry | null>(null);
  const client = useQueryClient();
  const navigate = useNavigate();
  if (device === undefined) return null;
  const mayAct = can(user, "deployments:write") && device.status !== "decommissioned";
  const runs = (entry: HistoryEntry) =>
    device.bundles.some((each) => each.name === entry.bundle_name && each.version === entry.bundle_version);
  const request = {
    bundle_version: wanted?.bundle_version ?? "",
    bundle_name: wanted?.bundle_name ?? "default",
    target_device_ids: [deviceId],
  };
  const running = device.bundles.find((each) => each.name === wanted?.bundle_name);
  return (
    <Card title={t("history.title")} flush>
      {history.data === undefined &&
        (history.error ? (
          <Failure error={history.error} onRetry={() => void history.refetch()} />
        ) : (
          <Skeleton rows={5} />
        ))}
      {history.data !== undefined && (
        <HistoryList
          entries={history.data}
          action={(entry) =>
            mayAct &&
            entry.status === "success" &&
            !runs(entry) && (
              <Button size="sm" onClick={() => setWanted(entry)}>
                <RotateCcw aria-hidden="true" size={14} />
                {t("rollback.to", { version: entry.bundle_version })}
              </Button>
            )
          }
        />
      )}
      <Confirm
        open={wanted !== null}
        onClose={() => setWanted(null)}
        title={t("rollback.title", { bundle: request.bundle_name, version: request.bundle_version })}
        extent={
          <ul className="grid list-disc gap-1 pl-4">
            <li>
              {running === undefined
                ? t("rollback.fromNothing", { device: deviceLabel(device), version: request.bundle_version })
                : t("rollback.change", {
                    device: deviceLabel(device),
                    from: running.version,
                    to: request.bundle_version,
                  })}
            </li>
            <li>{t("rollback.when")}</li>
            <li>{t("rollback.script")}</li>
            <li>{t("rollback.keeps")}</li>
          </ul>
        }
        action={t("rollback.submit")}
        commands={{
          cli: cli("rollback", request.bundle_version, "--name", request.bundle_name, "--device", deviceId),
          curl: curl("POST", "/api/v1/devices/rollback", request),
        }}
        onConfirm={async () => {
          const created = await rollBackDevices(request);
          await client.invalidateQueries();
          await navigate(paths.deployment(created.deployment_id));
        }}
      />
    </Card>
  );
}
