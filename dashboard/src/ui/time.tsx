import { exactTime, relativeTime } from "@/lib/format";
import { t } from "@/lib/i18n";
import { useNow } from "@/lib/now";

/** How long ago, and exactly when on hover. */
export function Time({ at, never }: { at: string | null | undefined; never?: string }) {
  const now = useNow();
  if (!at) return <span className="text-faint">{never ?? t("time.never")}</span>;
  return (
    <time dateTime={at} title={exactTime(at)} className="tabular whitespace-nowrap">
      {relativeTime(at, now)}
    </time>
  );
}
