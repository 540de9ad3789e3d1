import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { HistoryEntry } from "@/api/devices";
import { formatDuration } from "@/lib/format";
import { t, word } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { StatusBadge } from "@/ui/status";
import { Time } from "@/ui/time";

interface HistoryListProps {
  entries: HistoryEntry[];
  /** What can be done about one line. */
  action?: (entry: HistoryEntry) => ReactNode;
}

/** What a device was told to run, and how it ended, newest first. */
export function HistoryList({ entries, action }: HistoryListProps) {
  if (entries.length === 0) return <p className="p-4 text-muted">{t("history.none")}</p>;
  return (
    <ol className="divide-y divide-line">
      {entries.map((entry) => (
        <li
          key={`${entry.deployment_id}-${entry.completed_at}`}
          className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5"
        >
          <div className="min-w-0 flex-1 basis-64">
            <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
              <Link
                {...paths.deployment(entry.deployment_id)}
                className="min-w-0 truncate font-medium hover:text-accent hover:underline"
              >
                {word("kind", entry.kind)} {entry.bundle_name}{" "}
                <span className="font-mono text-[0.8125rem]">{entry.bundle_version}</span>
              </Link>
              <StatusBadge value={entry.status} />
            </p>
            {(entry.error_code || entry.error_message) && (
              <p className="mt-1 text-[0.8125rem] break-words text-muted">
                {entry.error_code && <span className="font-medium text-bad">{word("failure", entry.error_code)}</span>}
                {entry.error_code && entry.error_message && ": "}
                {entry.error_message}
              </p>
            )}
          </div>
          <p className="text-xs text-muted">
            {t("history.by", { name: entry.created_by })} · <Time at={entry.completed_at} />
            {entry.duration_secs != null && ` · ${formatDuration(entry.duration_secs)}`}
          </p>
          {action?.(entry)}
        </li>
      ))}
    </ol>
  );
}
