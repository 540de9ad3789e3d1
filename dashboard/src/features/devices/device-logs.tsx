import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Download, Pause, Play, ScrollText } from "lucide-react";
import { useState } from "react";
import { deviceLogs, type LogEntry } from "@/api/devices";
import { clockTime, exactTime } from "@/lib/format";
import { plural, t } from "@/lib/i18n";
import { saveFile } from "@/lib/save-file";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { cx } from "@/ui/classes";
import { Empty } from "@/ui/empty";
import { Failure } from "@/ui/failure";
import { Input, Select } from "@/ui/field";
import { Skeleton } from "@/ui/page";

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"] as const;
const TONES: Record<string, string> = { ERROR: "text-bad", WARN: "text-warn", INFO: "text-info" };

/** What the device logged, following new lines until it is paused. */
export function DeviceLogs() {
  const { deviceId } = useParams({ from: "/app/devices/$deviceId/logs" });
  const { level = "TRACE", find = "" } = useSearch({ from: "/app/devices/$deviceId/logs" });
  const navigate = useNavigate({ from: "/devices/$deviceId/logs" });
  const [isPaused, setPaused] = useState(false);
  const { data, error, refetch } = useQuery(deviceLogs(deviceId, level, isPaused));
  const lines = (data?.logs ?? []).filter((line) => line.message.toLowerCase().includes(find.toLowerCase()));
  const set = (change: { level?: string | undefined; find?: string | undefined }) =>
    void navigate({ search: (old) => withoutEmpty({ ...old, ...change }), replace: true });
  return (
    <Card flush>
      <div data-noprint data-keep-focus className="flex flex-wrap items-center gap-2 border-b border-line p-3">
        <Select
          aria-label={t("logs.level")}
          value={level}
          onChange={(event) => set({ level: event.target.value === "TRACE" ? undefined : event.target.value })}
          className="w-auto"
        >
          {LEVELS.map((each) => (
            <option key={each} value={each}>
              {each === "TRACE" ? t("logs.all") : t("logs.from", { level: each })}
            </option>
          ))}
        </Select>
        <Input
          type="search"
          aria-label={t("logs.find")}
          placeholder={t("logs.find")}
          value={find}
          onChange={(event) => set({ find: event.target.value || undefined })}
          className="w-auto flex-1 sm:max-w-72"
        />
        <span className="tabular flex-1 text-xs text-muted">{data && plural("logs.lines", lines.length)}</span>
        <Button size="sm" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          {isPaused ? <Play aria-hidden="true" size={14} /> : <Pause aria-hidden="true" size={14} />}
          {t(isPaused ? "logs.follow" : "logs.pause")}
        </Button>
        <Button size="sm" disabled={lines.length === 0} onClick={() => saveLines(deviceId, lines)}>
          <Download aria-hidden="true" size={14} />
          {t("action.download")}
        </Button>
      </div>
      {data === undefined &&
        (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={8} height="h-5" />)}
      {data !== undefined && lines.length === 0 && (
        <Empty icon={ScrollText} title={t("logs.none")} text={t("logs.noneText")} />
      )}
      <section
        aria-label={t("device.logs")}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        tabIndex={0}
        className={cx("max-h-[70vh] overflow-auto font-mono text-xs leading-relaxed", lines.length === 0 && "hidden")}
      >
        <ol>
          {lines.map((line, index) => (
            <Line key={`${line.received_at}-${line.timestamp}-${index}`} line={line} />
          ))}
        </ol>
      </section>
    </Card>
  );
}

function Line({ line }: { line: LogEntry }) {
  const fields = Object.entries((line.fields ?? {}) as Record<string, unknown>);
  return (
    <li className="flex flex-wrap gap-x-3 border-b border-line/60 px-4 py-1 hover:bg-hover/60 sm:flex-nowrap">
      <time dateTime={line.timestamp} title={exactTime(line.timestamp)} className="shrink-0 text-muted">
        {clockTime(line.timestamp)}
      </time>
      <span className={cx("w-11 shrink-0 font-semibold", TONES[line.level] ?? "text-muted")}>{line.level}</span>
      <span className="min-w-0 basis-full break-words whitespace-pre-wrap sm:basis-auto">
        {line.message}
        {fields.map(([key, value]) => (
          <span key={key} className="ml-2 text-muted">
            {key}={typeof value === "string" ? value : JSON.stringify(value)}
          </span>
        ))}
      </span>
    </li>
  );
}

function saveLines(deviceId: string, lines: LogEntry[]): void {
  const text = lines.map((line) => JSON.stringify(line)).join("\n");
  saveFile(`${deviceId}.log.jsonl`, "application/jsonl", `${text}\n`);
}

function withoutEmpty<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
