import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Rocket, Tag, Trash2, UserCheck, X } from "lucide-react";
import { useState } from "react";
import { approveDevice, type Device, decommissionDevice } from "@/api/devices";
import { TagDialog } from "@/features/devices/tag-dialog";
import { cli, curl } from "@/lib/commands";
import { forEach } from "@/lib/for-each";
import { deviceLabel } from "@/lib/format";
import { plural, t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { Button } from "@/ui/button";
import { Confirm } from "@/ui/confirm";
import { NameList } from "@/ui/name-list";
import { toast } from "@/ui/toast";

interface BulkBarProps {
  devices: Device[];
  isAdmin: boolean;
  onDone: () => void;
}

/** What can be done with the selected devices, at the foot of the page where a thumb reaches it. */
export function BulkBar({ devices, isAdmin, onDone }: BulkBarProps) {
  const [open, setOpen] = useState<"tag" | "approve" | "decommission" | null>(null);
  const client = useQueryClient();
  const navigate = useNavigate();
  if (devices.length === 0) return null;
  const close = () => setOpen(null);
  const ids = devices.map((device) => device.device_id);
  const pending = devices.filter((device) => device.status === "pending_approval");
  const names = devices.map(deviceLabel);
  const finish = async (text: string) => {
    await client.invalidateQueries();
    toast(text);
    onDone();
  };
  return (
    <section
      aria-label={t("bulk.label")}
      data-noprint
      className="pop-in sticky bottom-3 z-20 mx-auto mt-4 flex w-fit max-w-full flex-wrap items-center gap-2 rounded-2xl border border-line bg-raised p-2 shadow-pop"
    >
      <span className="tabular px-2 font-medium">{plural("bulk.selected", devices.length)}</span>
      <Button size="sm" kind="primary" onClick={() => void navigate(paths.newDeployment({ devices: ids.join(",") }))}>
        <Rocket aria-hidden="true" size={14} /> {t("bulk.deploy")}
      </Button>
      <Button size="sm" onClick={() => setOpen("tag")}>
        <Tag aria-hidden="true" size={14} /> {t("bulk.tag")}
      </Button>
      {pending.length > 0 && (
        <Button size="sm" onClick={() => setOpen("approve")}>
          <UserCheck aria-hidden="true" size={14} /> {t("bulk.approve")}
        </Button>
      )}
      {isAdmin && (
        <Button size="sm" kind="danger-quiet" onClick={() => setOpen("decommission")}>
          <Trash2 aria-hidden="true" size={14} /> {t("bulk.decommission")}
        </Button>
      )}
      <Button size="icon" kind="ghost" aria-label={t("bulk.clear")} onClick={onDone}>
        <X aria-hidden="true" size={15} />
      </Button>
      <TagDialog open={open === "tag"} devices={devices} onClose={close} onDone={finish} />
      <Confirm
        open={open === "approve"}
        onClose={close}
        title={plural("approve.title", pending.length)}
        extent={<NameList names={pending.map(deviceLabel)} />}
        action={t("bulk.approve")}
        onConfirm={async () => {
          await forEach(pending, (device) => approveDevice(device.device_id));
          await finish(plural("approve.done", pending.length));
        }}
      />
      <Confirm
        open={open === "decommission"}
        onClose={close}
        danger
        title={plural("decommission.title", devices.length)}
        extent={
          <>
            <p>{t("decommission.extent")}</p>
            <NameList names={names} />
          </>
        }
        phrase={devices.length > 1 ? String(devices.length) : undefined}
        action={t("bulk.decommission")}
        commands={{
          cli: ids.map((id) => cli("--yes", "device", "decommission", id)).join("\n"),
          curl: ids.map((id) => curl("POST", `/api/v1/devices/${id}/decommission`)).join("\n"),
        }}
        onConfirm={async () => {
          await forEach(ids, decommissionDevice);
          await finish(plural("decommission.done", ids.length));
        }}
      />
    </section>
  );
}
