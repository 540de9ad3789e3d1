import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { type Device, updateDevice } from "@/api/devices";
import { cli, curl } from "@/lib/commands";
import { forEach } from "@/lib/for-each";
import { plural, t } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { CommandLines } from "@/ui/commands";
import { Dialog } from "@/ui/dialog";
import { FailureNote } from "@/ui/failure";
import { Field, Input } from "@/ui/field";

interface TagDialogProps {
  open: boolean;
  devices: Device[];
  onClose: () => void;
  onDone: (text: string) => Promise<void>;
}

/** Sets one label on every selected device; an empty value takes it away. */
export function TagDialog({ open, devices, onClose, onDone }: TagDialogProps) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const apply = useMutation({
    mutationFn: () =>
      forEach(devices, (device) => updateDevice(device.device_id, { tags: changed(device, key, value) })),
    onSuccess: async () => {
      await onDone(plural("tag.done", devices.length));
      onClose();
    },
  });
  const first = devices[0];
  return (
    <Dialog open={open} onClose={onClose} title={plural("tag.title", devices.length)} description={t("tag.lead")}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          apply.mutate();
        }}
      >
        <div className="grid grid-cols-2 gap-3">
          <Field label={t("tag.key")}>
            {(ids) => (
              <Input
                {...ids}
                required
                maxLength={64}
                autoComplete="off"
                value={key}
                onChange={(e) => setKey(e.target.value)}
              />
            )}
          </Field>
          <Field label={t("tag.value")}>
            {(ids) => <Input {...ids} autoComplete="off" value={value} onChange={(e) => setValue(e.target.value)} />}
          </Field>
        </div>
        <FailureNote error={apply.error} title={t("tag.notDone")} />
        {first !== undefined && key !== "" && (
          <CommandLines
            cli={devices
              .map((each) => cli("device", "tag", each.device_id, value === "" ? `${key}-` : `${key}=${value}`))
              .join("\n")}
            curl={curl("PATCH", `/api/v1/devices/${first.device_id}`, { tags: changed(first, key, value) })}
          />
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="submit" kind="primary" busy={apply.isPending}>
            {t("tag.apply")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function changed(device: Device, key: string, value: string): Record<string, string> {
  const { [key]: _, ...others } = device.tags;
  return value === "" ? others : { ...others, [key]: value };
}
