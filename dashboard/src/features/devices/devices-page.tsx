import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { HardDrive, SearchX } from "lucide-react";
import { useState } from "react";
import { can, me } from "@/api/auth";
import { type DeviceFilter, devices } from "@/api/devices";
import { ApiFailure } from "@/api/errors";
import { BulkBar } from "@/features/devices/bulk-bar";
import { ColumnMenu } from "@/features/devices/column-menu";
import { DEFAULT_COLUMNS } from "@/features/devices/columns";
import { DeviceTable } from "@/features/devices/device-table";
import { FilterBar } from "@/features/devices/filter-bar";
import { t } from "@/lib/i18n";
import { FirstDevice } from "@/parts/first-device";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Empty } from "@/ui/empty";
import { Failure } from "@/ui/failure";
import { Page, Skeleton } from "@/ui/page";
import { Pager } from "@/ui/paging";

export function DevicesPage() {
  const search = useSearch({ from: "/app/devices" });
  const navigate = useNavigate({ from: "/devices" });
  const [selected, setSelected] = useState<Record<string, boolean>>({});
  const { q, status, version, cursor, trail } = search;
  const filter: DeviceFilter = { q, status, bundle_version: version };
  const isFiltered = [q, status, version].some((value) => value !== undefined);
  const { data: user } = useQuery(me);
  const { data: found, error, refetch, isPlaceholderData } = useQuery(devices(filter, { cursor }));
  // While a selector is being written it is wrong most of the time; what was found last stays until it is right.
  const problem = error instanceof ApiFailure && error.status === 400 ? error.message : undefined;
  const [last, setLast] = useState(found);
  if (found !== undefined && found !== last) setLast(found);
  const data = found ?? (problem === undefined ? undefined : last);
  const shown = search.columns?.split(",").filter(Boolean) ?? DEFAULT_COLUMNS;
  const chosen = (data?.devices ?? []).filter((device) => selected[device.device_id]);
  const mayAct = can(user, "devices:write");

  const setFilter = (change: Partial<typeof search>) => {
    setSelected({});
    void navigate({
      search: (old) => cleaned({ ...old, cursor: undefined, trail: undefined, ...change }),
      replace: true,
    });
  };
  const moveTo = (position: { cursor?: string | undefined; trail?: string | undefined }) => {
    setSelected({});
    void navigate({ search: (old) => cleaned({ ...old, cursor: undefined, trail: undefined, ...position }) });
  };

  return (
    <Page
      title={t("devices.title")}
      actions={<ColumnMenu shown={shown} onChange={(columns) => setFilter({ columns })} />}
    >
      <FilterBar search={search} onChange={setFilter} problem={problem} />
      <Card flush>
        {data === undefined &&
          (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={10} />)}
        {data !== undefined && data.devices.length === 0 && isFiltered && (
          <Empty icon={SearchX} title={t("devices.noMatch")} text={t("devices.noMatchText")}>
            <Button onClick={() => setFilter({ q: undefined, status: undefined, version: undefined })}>
              {t("devices.clearFilter")}
            </Button>
          </Empty>
        )}
        {data !== undefined && data.devices.length === 0 && !isFiltered && (
          <Empty icon={HardDrive} title={t("devices.none")}>
            {mayAct ? <FirstDevice /> : <p className="text-muted">{t("devices.noneReadOnly")}</p>}
          </Empty>
        )}
        {data !== undefined && data.devices.length > 0 && (
          <div className={isPlaceholderData || problem !== undefined ? "cursor-progress" : ""}>
            <DeviceTable
              devices={data.devices}
              shown={shown}
              selected={selected}
              onSelect={mayAct ? setSelected : null}
            />
            <Pager position={{ cursor, trail }} total={data.total} next={data.next_cursor} onMove={moveTo} />
          </div>
        )}
      </Card>
      {mayAct && <BulkBar devices={chosen} isAdmin={user?.role === "admin"} onDone={() => setSelected({})} />}
    </Page>
  );
}

/** Without what is empty, so that an address says only what was chosen. */
function cleaned<T extends object>(search: T): T {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined && value !== "")) as T;
}
