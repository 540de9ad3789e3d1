import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { useState } from "react";
import { type Device, device as deviceQuery, updateDevice } from "@/api/devices";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { FailureNote } from "@/ui/failure";
import { Input } from "@/ui/field";
import { toast } from "@/ui/toast";

/** The labels of one device. */
export function TagEditor({ device }: { device: Device }) {
  const [rows, setRows] = useState(() => Object.entries(device.tags).map(([key, value]) => ({ key, value })));
  const client = useQueryClient();
  const tags = Object.fromEntries(
    rows.filter((row) => row.key !== "").map((row) => [row.key.trim(), row.value.trim()]),
  );
  const save = useMutation({
    mutationFn: () => updateDevice(device.device_id, { tags }),
    onSuccess: (saved) => {
      client.setQueryData(deviceQuery(device.device_id).queryKey, saved);
      toast(t("tag.saved"));
    },
  });
  const set = (index: number, change: Partial<{ key: string; value: string }>) =>
    setRows(rows.map((row, at) => (at === index ? { ...row, ...change } : row)));
  return (
    <form
      className="grid gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <h3 className="text-[0.8125rem] font-medium">{t("devices.tags")}</h3>
      {rows.map((row, index) => (
        <div key={index} className="grid grid-cols-[minmax(0,1fr)_minmax(0,2fr)_2rem] items-center gap-2">
          <Input
            aria-label={t("tag.key")}
            placeholder={t("tag.key")}
            value={row.key}
            onChange={(e) => set(index, { key: e.target.value })}
          />
          <Input
            aria-label={t("tag.value")}
            placeholder={t("tag.value")}
            value={row.value}
            onChange={(e) => set(index, { value: e.target.value })}
          />
          <Button
            kind="ghost"
            size="icon"
            aria-label={t("tag.remove", { key: row.key })}
            onClick={() => setRows(rows.filter((_, at) => at !== index))}
          >
            <X aria-hidden="true" size={15} />
          </Button>
        </div>
      ))}
      <FailureNote error={save.error} title={t("tag.notDone")} />
      <div className="flex gap-2">
        <Button size="sm" kind="ghost" onClick={() => setRows([...rows, { key: "", value: "" }])}>
          <Plus aria-hidden="true" size={14} />
          {t("tag.add")}
        </Button>
        <Button
          size="sm"
          type="submit"
          busy={save.isPending}
          disabled={JSON.stringify(tags) === JSON.stringify(device.tags)}
        >
          {t("tag.save")}
        </Button>
      </div>
    </form>
  );
}
