import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { devices } from "@/api/devices";
import { deviceLabel } from "@/lib/format";
import { plural, t, word } from "@/lib/i18n";
import { SelectorInput } from "@/parts/selector-input";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Failure } from "@/ui/failure";
import { Checkbox, Select } from "@/ui/field";
import { Skeleton } from "@/ui/page";
import { Status } from "@/ui/status";
import { Tags } from "@/ui/tags";

const STATUSES = ["online", "degraded", "error", "offline"];

/** Whom the deployment is for; the count follows what is chosen. */
export function DeviceChoice({ chosen, onChoose }: { chosen: string[]; onChoose: (ids: string[]) => void }) {
  const [picked, setPicked] = useState(() => new Set(chosen));
  const [filter, setFilter] = useState({ q: "", status: "" });
  const { data, error, refetch } = useQuery(devices(filter, { limit: 200 }));
  const shown = (data?.devices ?? []).filter(
    (device) => device.status !== "pending_approval" && device.status !== "decommissioned",
  );
  const areAllPicked = shown.length > 0 && shown.every((device) => picked.has(device.device_id));
  const toggle = (ids: string[], on: boolean) => {
    const next = new Set(picked);
    for (const id of ids) on ? next.add(id) : next.delete(id);
    setPicked(next);
  };
  return (
    <Card title={t("new.devicesTitle")} flush>
      <div data-keep-focus className="flex flex-wrap gap-2 border-b border-line p-3">
        <SelectorInput
          label={t("devices.search")}
          value={filter.q || undefined}
          onChange={(q) => setFilter({ ...filter, q: q ?? "" })}
          className="min-w-60 flex-1"
        />
        <Select
          aria-label={t("devices.status")}
          value={filter.status}
          onChange={(event) => setFilter({ ...filter, status: event.target.value })}
          className="w-auto"
        >
          <option value="">{t("devices.anyStatus")}</option>
          {STATUSES.map((status) => (
            <option key={status} value={status}>
              {word("status", status)}
            </option>
          ))}
        </Select>
      </div>
      {data === undefined && (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton />)}
      {data !== undefined && shown.length === 0 && <p className="p-4 text-muted">{t("devices.noMatch")}</p>}
      {shown.length > 0 && (
        <>
          <label className="flex items-center gap-3 border-b border-line bg-sunken px-4 py-2 text-muted">
            <Checkbox
              checked={areAllPicked}
              onChange={() =>
                toggle(
                  shown.map((device) => device.device_id),
                  !areAllPicked,
                )
              }
            />
            {plural("new.allShown", shown.length)}
          </label>
          <ul className="max-h-[50vh] divide-y divide-line overflow-y-auto">
            {shown.map((device) => (
              <li key={device.device_id}>
                <label className="grid grid-cols-[1rem_minmax(0,1fr)_auto] items-center gap-3 px-4 py-2 hover:bg-hover/60">
                  <Checkbox
                    checked={picked.has(device.device_id)}
                    onChange={(event) => toggle([device.device_id], event.target.checked)}
                  />
                  <span className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
                    <span className="truncate font-medium">{deviceLabel(device)}</span>
                    <Tags tags={device.tags} most={3} />
                  </span>
                  <Status value={device.status} />
                </label>
              </li>
            ))}
          </ul>
        </>
      )}
      <div className="flex items-center justify-between gap-3 border-t border-line px-4 py-3">
        <span role="status" className="tabular font-medium">
          {plural("bulk.selected", picked.size)}
        </span>
        <Button kind="primary" disabled={picked.size === 0} onClick={() => onChoose([...picked])}>
          {t("new.continue")}
        </Button>
      </div>
    </Card>
  );
}
