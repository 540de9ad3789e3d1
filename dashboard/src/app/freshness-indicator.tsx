import { useFreshness } from "@/app/freshness";
import { clockTime } from "@/lib/format";
import { t } from "@/lib/i18n";
import { Dot } from "@/ui/status";

/** Quiet while answers come; says since when what is shown is old. */
export function FreshnessIndicator() {
  const { isFresh, answeredAt } = useFreshness();
  return (
    <span role="status" className="inline-flex items-center gap-2 text-xs text-muted" data-fresh={isFresh}>
      <Dot tone={isFresh ? "ok" : "warn"} />
      <span className={isFresh ? "max-sm:sr-only" : ""}>
        {isFresh || answeredAt === null
          ? t(isFresh ? "live.fresh" : "live.away")
          : t("live.stale", { time: clockTime(answeredAt) })}
      </span>
    </span>
  );
}
