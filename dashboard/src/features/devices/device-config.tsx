import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { History } from "lucide-react";
import { useState } from "react";
import { can, me } from "@/api/auth";
import {
  type Config,
  type ConfigPatch,
  type ConfigVersion,
  config as configQuery,
  configVersions,
  device as deviceQuery,
  putConfig,
  rollBackConfig,
} from "@/api/devices";
import { ConfigForm } from "@/features/devices/config-form";
import { changesBetween } from "@/lib/changes";
import { cli, curl } from "@/lib/commands";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Changes } from "@/ui/changes";
import { Confirm } from "@/ui/confirm";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/page";
import { Badge } from "@/ui/status";
import { Time } from "@/ui/time";
import { toast } from "@/ui/toast";

/** What the device goes by: edited as a form, compared before it is sent, and kept in versions. */
export function DeviceConfig() {
  const { deviceId } = useParams({ from: "/app/devices/$deviceId/config" });
  const { data: device } = useQuery(deviceQuery(deviceId));
  const { data: user } = useQuery(me);
  const { data: config, error, refetch } = useQuery(configQuery(deviceId));
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: (patch: ConfigPatch) => putConfig(deviceId, patch),
    onSuccess: async (saved) => {
      client.setQueryData(configQuery(deviceId).queryKey, saved);
      await client.invalidateQueries({ queryKey: ["device", deviceId] });
      toast(t("config.saved", { version: saved.version }));
    },
  });
  if (device === undefined) return null;
  const isApplied = device.config_version === device.reported_config_version;
  const mayEdit = can(user, "devices:write") && device.status !== "decommissioned";
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
      <Card
        title={t("config.title")}
        actions={
          <Badge tone={isApplied ? "ok" : "info"}>
            {isApplied
              ? t("config.applied", { version: device.config_version })
              : t("config.pending", { wanted: device.config_version, reported: device.reported_config_version })}
          </Badge>
        }
      >
        {config === undefined && (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton />)}
        {config !== undefined && (
          <ConfigForm
            key={config.version}
            config={config}
            readOnly={!mayEdit}
            error={save.error}
            busy={save.isPending}
            onSave={(patch) => save.mutate(patch)}
            curlOf={(patch) => curl("PUT", `/api/v1/devices/${deviceId}/config`, patch)}
          />
        )}
      </Card>
      <Versions deviceId={deviceId} current={config} mayEdit={mayEdit} />
    </div>
  );
}

function Versions({ deviceId, current, mayEdit }: { deviceId: string; current: Config | undefined; mayEdit: boolean }) {
  const { data, error, refetch } = useQuery(configVersions(deviceId));
  const [wanted, setWanted] = useState<ConfigVersion | null>(null);
  const client = useQueryClient();
  const versions = data?.versions ?? [];
  return (
    <Card title={t("config.history")} flush>
      {data === undefined && (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={4} />)}
      <ol className="divide-y divide-line">
        {versions.map((version, index) => (
          <li key={version.version} className="grid gap-1.5 px-4 py-3">
            <div className="flex items-center justify-between gap-3">
              <p className="min-w-0">
                <span className="font-medium">{t("config.version", { version: version.version })}</span>{" "}
                <span className="text-xs text-muted">
                  {version.created_by ? (
                    <>
                      {t("history.by", { name: version.created_by })} · <Time at={version.created_at} />
                    </>
                  ) : (
                    t("config.default")
                  )}
                </span>
              </p>
              {mayEdit && current !== undefined && version.version !== current.version && (
                <Button size="sm" onClick={() => setWanted(version)}>
                  <History aria-hidden="true" size={14} />
                  {t("config.return")}
                </Button>
              )}
            </div>
            <Changes changes={changesBetween(versions[index + 1], version)} />
          </li>
        ))}
      </ol>
      <Confirm
        open={wanted !== null}
        onClose={() => setWanted(null)}
        title={t("config.returnTitle", { version: wanted?.version ?? 0 })}
        extent={
          <>
            <p>{t("config.returnExtent")}</p>
            <Changes changes={changesBetween(current, wanted ?? undefined)} />
          </>
        }
        action={t("config.return")}
        commands={{
          cli: cli("device", "config", "rollback", deviceId, String(wanted?.version ?? 0)),
          curl: curl("POST", `/api/v1/devices/${deviceId}/config/rollback`, { version: wanted?.version ?? 0 }),
        }}
        onConfirm={async () => {
          if (wanted === null) return;
          const saved = await rollBackConfig(deviceId, wanted.version);
          client.setQueryData(configQuery(deviceId).queryKey, saved);
          await client.invalidateQueries({ queryKey: ["device", deviceId] });
          toast(t("config.saved", { version: saved.version }));
        }}
      />
    </Card>
  );
}
