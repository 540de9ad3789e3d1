import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { UserCheck } from "lucide-react";
import { useState } from "react";
import { can, me } from "@/api/auth";
import { approveDevice, type Device, devices, rejectDevice } from "@/api/devices";
import { cli, curl } from "@/lib/commands";
import { deviceLabel, groupFingerprint } from "@/lib/format";
import { t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Confirm } from "@/ui/confirm";
import { CopyButton } from "@/ui/copy";
import { Empty } from "@/ui/empty";
import { Failure } from "@/ui/failure";
import { Page, Skeleton } from "@/ui/page";
import { Tags } from "@/ui/tags";
import { Time } from "@/ui/time";
import { toast, toastFailure } from "@/ui/toast";

/** Devices that wait to be let in, with the fingerprint to compare before it is done. */
export function ApprovalsPage() {
  const { data, error, refetch } = useQuery(devices({ status: "pending_approval" }, { limit: 200 }));
  const { data: user } = useQuery(me);
  const [refused, setRefused] = useState<Device | null>(null);
  const client = useQueryClient();
  const mayAct = can(user, "devices:write");
  return (
    <Page title={t("approvals.title")} lead={t("approvals.lead")}>
      {data === undefined && (
        <Card flush>
          {error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={3} height="h-24" />}
        </Card>
      )}
      {data?.devices.length === 0 && (
        <Card flush>
          <Empty icon={UserCheck} title={t("approvals.none")} text={t("approvals.noneText")} />
        </Card>
      )}
      <ul className="grid gap-3">
        {data?.devices.map((device) => (
          <li key={device.device_id}>
            <PendingDevice device={device} mayAct={mayAct} onReject={() => setRefused(device)} />
          </li>
        ))}
      </ul>
      <Confirm
        open={refused !== null}
        onClose={() => setRefused(null)}
        danger
        title={t("approvals.rejectTitle", { name: refused === null ? "" : deviceLabel(refused) })}
        extent={<p>{t("approvals.rejectExtent")}</p>}
        action={t("approvals.reject")}
        commands={{
          cli: cli("--yes", "device", "reject", refused?.device_id ?? ""),
          curl: curl("POST", `/api/v1/devices/${refused?.device_id ?? ""}/reject`),
        }}
        onConfirm={async () => {
          if (refused === null) return;
          await rejectDevice(refused.device_id);
          await client.invalidateQueries();
          toast(t("approvals.rejected"));
        }}
      />
    </Page>
  );
}

interface PendingDeviceProps {
  device: Device;
  mayAct: boolean;
  onReject: () => void;
}

function PendingDevice({ device, mayAct, onReject }: PendingDeviceProps) {
  const client = useQueryClient();
  const approve = useMutation({
    mutationFn: () => approveDevice(device.device_id),
    onSuccess: async () => {
      await client.invalidateQueries();
      toast(t("approvals.approved", { name: deviceLabel(device) }));
    },
    onError: (error) => toastFailure(t("approvals.notApproved"), error),
  });
  return (
    <Card>
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-4">
        <div className="grid min-w-0 gap-2">
          <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <Link
              {...paths.device(device.device_id)}
              className="min-w-0 font-medium break-all hover:text-accent hover:underline"
            >
              {deviceLabel(device)}
            </Link>
            <span className="text-muted">{device.device_type ?? t("approvals.noType")}</span>
            <span className="text-xs text-muted">
              {t("devices.registered")} <Time at={device.registered_at} />
            </span>
          </p>
          <div>
            <p className="mb-1 text-xs text-muted">
              {t("device.fingerprint")} · {device.signature_algorithm}
            </p>
            <p className="flex items-start gap-1">
              <code className="font-mono text-[0.8125rem] leading-relaxed tracking-wide break-words">
                {groupFingerprint(device.key_fingerprint)}
              </code>
              <CopyButton text={device.key_fingerprint} label={t("device.copyFingerprint")} />
            </p>
          </div>
          <Tags tags={device.tags} />
        </div>
        {mayAct && (
          <div className="flex gap-2">
            <Button onClick={onReject}>{t("approvals.reject")}</Button>
            <Button kind="primary" busy={approve.isPending} onClick={() => approve.mutate()}>
              {t("approvals.approve")}
            </Button>
          </div>
        )}
      </div>
    </Card>
  );
}
