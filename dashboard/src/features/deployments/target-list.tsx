import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { type Deployment, type Target, targets } from "@/api/deployments";
import { device } from "@/api/devices";
import { deviceLabel, formatDuration, formatPercent, shortId } from "@/lib/format";
import { t, word } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { ProgressBar } from "@/ui/bar";
import { Card } from "@/ui/card";
import { Failure } from "@/ui/failure";
import { Select } from "@/ui/field";
import { Skeleton } from "@/ui/page";
import { StatusBadge } from "@/ui/status";
import { Time } from "@/ui/time";

const STATES = [
  "pending",
  "delivered",
  "downloading",
  "verifying",
  "staging",
  "activating",
  "checking",
  "success",
  "failed",
  "rolling_back",
  "rolled_back",
  "timed_out",
  "cancelled",
];
const ROW = 44;

/** Every device of the deployment; only the rows in view are drawn, and further ones are fetched on the way down. */
export function TargetList({ deployment }: { deployment: Deployment }) {
  const { state } = useSearch({ from: "/app/deployments/$deploymentId" });
  const navigate = useNavigate({ from: "/deployments/$deploymentId" });
  const query = useInfiniteQuery(targets(deployment.deployment_id, state));
  const rows = query.data?.pages.flatMap((page) => page.targets) ?? [];
  return (
    <Card
      flush
      title={t("targets.title")}
      actions={
        <Select
          aria-label={t("targets.state")}
          value={state ?? ""}
          onChange={(event) =>
            void navigate({ search: event.target.value ? { state: event.target.value } : {}, replace: true })
          }
          className="w-auto"
        >
          <option value="">{t("targets.anyState")}</option>
          {STATES.map((each) => (
            <option key={each} value={each}>
              {word("status", each)}
            </option>
          ))}
        </Select>
      }
    >
      {query.data === undefined &&
        (query.error ? <Failure error={query.error} onRetry={() => void query.refetch()} /> : <Skeleton rows={5} />)}
      {query.data !== undefined && rows.length === 0 && <p className="p-4 text-muted">{t("targets.none")}</p>}
      {rows.length > 0 && (
        <Rows rows={rows} onEnd={() => query.hasNextPage && !query.isFetchingNextPage && void query.fetchNextPage()} />
      )}
    </Card>
  );
}

function Rows({ rows, onEnd }: { rows: Target[]; onEnd: () => void }) {
  const box = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 8,
    onChange: (instance) => {
      if ((instance.range?.endIndex ?? 0) >= rows.length - 20) onEnd();
    },
  });
  return (
    <section
      ref={box}
      aria-label={t("targets.title")}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
      tabIndex={0}
      className="max-h-[60vh] overflow-auto"
    >
      <ul className="relative min-w-xl" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const target = rows[item.index];
          if (target === undefined) return null;
          return (
            <li
              key={target.device_id}
              aria-setsize={rows.length}
              aria-posinset={item.index + 1}
              className="absolute inset-x-0 grid grid-cols-[minmax(0,2fr)_8.5rem_minmax(0,3fr)_7rem] items-center gap-4 border-b border-line px-4 hover:bg-hover/60"
              style={{ height: item.size, transform: `translateY(${item.start}px)` }}
            >
              <TargetRow target={target} />
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function TargetRow({ target }: { target: Target }) {
  const { data } = useQuery({ ...device(target.device_id), refetchInterval: false, staleTime: 60_000 });
  return (
    <>
      <Link {...paths.device(target.device_id)} className="truncate font-medium hover:text-accent hover:underline">
        {data === undefined ? shortId(target.device_id) : deviceLabel(data)}
      </Link>
      <span>
        <StatusBadge value={target.state} />
      </span>
      <TargetNote target={target} />
      <span className="text-right text-xs text-muted">
        <Time at={target.updated_at} />
      </span>
    </>
  );
}

function TargetNote({ target }: { target: Target }) {
  if (target.error_code || target.error_message) {
    const text = [target.error_code && word("failure", target.error_code), target.error_message]
      .filter(Boolean)
      .join(": ");
    return (
      <span title={text} className="truncate text-[0.8125rem] text-muted">
        {text}
      </span>
    );
  }
  if (target.progress_pct != null && !target.completed_at) {
    return (
      <span className="grid grid-cols-[minmax(0,1fr)_3rem] items-center gap-2">
        <ProgressBar percent={target.progress_pct} label={word("status", target.state)} tone="info" />
        <span className="tabular text-xs text-muted">{formatPercent(target.progress_pct)}</span>
      </span>
    );
  }
  const parts = [
    target.attempt > 1 && t("targets.attempt", { count: target.attempt }),
    target.duration_secs != null && formatDuration(target.duration_secs),
  ];
  return <span className="text-[0.8125rem] text-muted">{parts.filter(Boolean).join(" · ")}</span>;
}
