import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { can, me } from "@/api/auth";
import {
  approveDevice,
  type Device,
  decommissionDevice,
  device as deviceQuery,
  rejectDevice,
  updateDevice,
} from "@/api/devices";
import { TagEditor } from "@/features/devices/tag-editor";
import { cli, curl } from "@/lib/commands";
import { deviceLabel, groupFingerprint } from "@/lib/format";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Confirm } from "@/ui/confirm";
import { FailureNote } from "@/ui/failure";
import { Field, Input } from "@/ui/field";
import { toast } from "@/ui/toast";

type Act = "approve" | "reject" | "decommission";

export function DeviceSettings() {
  const { deviceId } = useParams({ from: "/app/devices/$deviceId/settings" });
  const { data: device } = useQuery(deviceQuery(deviceId));
  const { data: user } = useQuery(me);
  if (device === undefined || user === undefined) return null;
  if (!can(user, "devices:write")) return <p className="text-muted">{t("device.readOnly")}</p>;
  return (
    <div className="grid max-w-3xl gap-4">
      <Card title={t("device.nameAndTags")}>
        <div className="grid gap-6">
          <NameForm key={device.display_name ?? ""} device={device} />
          <TagEditor key={JSON.stringify(device.tags)} device={device} />
        </div>
      </Card>
      <DangerZone device={device} isAdmin={user.role === "admin"} />
    </div>
  );
}

function NameForm({ device }: { device: Device }) {
  const [name, setName] = useState(device.display_name ?? "");
  const client = useQueryClient();
  const rename = useMutation({
    mutationFn: () => updateDevice(device.device_id, { display_name: name.trim() }),
    onSuccess: async (saved) => {
      client.setQueryData(deviceQuery(device.device_id).queryKey, saved);
      toast(t("device.renamed"));
    },
  });
  return (
    <form
      className="grid gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        rename.mutate();
      }}
    >
      <Field label={t("device.name")} hint={t("device.nameHint")}>
        {(ids) => <Input {...ids} maxLength={128} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <FailureNote error={rename.error} title={t("device.notRenamed")} />
      <Button
        type="submit"
        className="justify-self-start"
        busy={rename.isPending}
        disabled={name.trim() === (device.display_name ?? "")}
      >
        {t("device.rename")}
      </Button>
    </form>
  );
}

function DangerZone({ device, isAdmin }: { device: Device; isAdmin: boolean }) {
  const [act, setAct] = useState<Act | null>(null);
  const client = useQueryClient();
  const id = device.device_id;
  const run = { approve: approveDevice, reject: rejectDevice, decommission: decommissionDevice };
  const offers: Act[] =
    device.status === "pending_approval"
      ? ["approve", "reject"]
      : device.status === "decommissioned"
        ? []
        : ["decommission"];
  const allowed = offers.filter((each) => each !== "decommission" || isAdmin);
  if (allowed.length === 0) return null;
  return (
    <section className="rounded-xl border border-bad/40 bg-surface p-4">
      <h2 className="text-[0.8125rem] font-semibold">{t("device.danger")}</h2>
      <div className="mt-3 grid gap-4">
        {allowed.map((each) => (
          <div key={each} className="flex flex-wrap items-center justify-between gap-3">
            <p className="max-w-prose text-muted">{t(`device.${each}Text`)}</p>
            <Button kind={each === "approve" ? "primary" : "danger-quiet"} onClick={() => setAct(each)}>
              {t(`device.${each}`)}
            </Button>
          </div>
        ))}
      </div>
      {act !== null && (
        <Confirm
          open
          onClose={() => setAct(null)}
          danger={act !== "approve"}
          title={t(`device.${act}Title`, { name: deviceLabel(device) })}
          extent={
            <>
              <p>{t(`device.${act}Text`)}</p>
              {act === "approve" && (
                <code className="font-mono text-xs break-words">{groupFingerprint(device.key_fingerprint)}</code>
              )}
            </>
          }
          {...(act === "decommission" ? { phrase: deviceLabel(device) } : {})}
          action={t(`device.${act}`)}
          commands={{
            cli: cli(...(act === "approve" ? [] : ["--yes"]), "device", act, id),
            curl: curl("POST", `/api/v1/devices/${id}/${act}`),
          }}
          onConfirm={async () => {
            await run[act](id);
            await client.invalidateQueries();
            toast(t(`device.${act}Done`));
          }}
        />
      )}
    </section>
  );
}
