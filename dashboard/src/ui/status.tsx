import type { ReactNode } from "react";
import { word } from "@/lib/i18n";
import { cx } from "@/ui/classes";

export type Tone = "ok" | "warn" | "bad" | "info" | "off" | "accent";

const DOT: Record<Tone, string> = {
  ok: "bg-ok-fill",
  warn: "bg-warn-fill",
  bad: "bg-bad-fill",
  info: "bg-info-fill",
  off: "bg-off-fill",
  accent: "bg-accent-fill",
};
const SOFT: Record<Tone, string> = {
  ok: "bg-ok-soft text-ok",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
  info: "bg-info-soft text-info",
  off: "bg-off-soft text-muted",
  accent: "bg-accent-soft text-accent",
};

const TONES: Record<string, Tone> = {
  online: "ok",
  healthy: "ok",
  success: "ok",
  ok: "ok",
  degraded: "warn",
  paused: "warn",
  rolling_back: "warn",
  rolled_back: "warn",
  suspect: "warn",
  pending_approval: "accent",
  error: "bad",
  failed: "bad",
  failing: "bad",
  timed_out: "bad",
  quarantined: "bad",
  in_progress: "info",
  reversing: "warn",
  delivered: "info",
  downloading: "info",
  verifying: "info",
  staging: "info",
  activating: "info",
  checking: "info",
};

/** The colour of a status; words that this dashboard does not know are grey. */
export function toneOf(status: string): Tone {
  return TONES[status] ?? "off";
}

/** The fill of a status in bars and legends. */
export function fillOf(tone: Tone): string {
  return DOT[tone];
}

export function Dot({ tone, live = false }: { tone: Tone; live?: boolean }) {
  return (
    <span aria-hidden="true" className="relative inline-grid size-2 shrink-0 place-items-center">
      {live && (
        <span className={cx("absolute size-2 animate-ping rounded-full opacity-60 motion-reduce:hidden", DOT[tone])} />
      )}
      <span className={cx("size-2 rounded-full", DOT[tone])} />
    </span>
  );
}

/** A status as a dot and a word: colour never stands alone. */
export function Status({ value, live = false }: { value: string; live?: boolean }) {
  return (
    <span className="inline-flex items-center gap-2 whitespace-nowrap">
      <Dot tone={toneOf(value)} live={live} />
      {word("status", value)}
    </span>
  );
}

export function Badge({ tone = "off", children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span
      className={cx(
        "inline-flex max-w-full items-center gap-1.5 rounded-md px-1.5 py-0.5 text-xs font-medium",
        SOFT[tone],
      )}
    >
      {children}
    </span>
  );
}

export function StatusBadge({ value }: { value: string }) {
  return (
    <Badge tone={toneOf(value)}>
      <Dot tone={toneOf(value)} />
      {word("status", value)}
    </Badge>
  );
}
