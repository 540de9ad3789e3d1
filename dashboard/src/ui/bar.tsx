import { cx } from "@/ui/classes";
import { fillOf, type Tone } from "@/ui/status";

export interface Segment {
  key: string;
  label: string;
  count: number;
  /** `none` leaves the ground visible. */
  tone: Tone | "none";
}

/** Shares of a whole, side by side. The text of each stands in the label, so that colour never stands alone. */
export function SegmentBar({ segments, className }: { segments: Segment[]; className?: string }) {
  const shown = segments.filter((segment) => segment.count > 0);
  const total = shown.reduce((sum, segment) => sum + segment.count, 0);
  const label = shown.map((segment) => `${segment.label}: ${segment.count}`).join(", ");
  return (
    <div
      role="img"
      aria-label={label}
      title={label}
      className={cx("flex h-2 gap-px overflow-hidden rounded-full bg-off-soft", className)}
    >
      {shown.map((segment) => (
        <span
          key={segment.key}
          className={cx("min-w-1 transition-[width] duration-500", segment.tone !== "none" && fillOf(segment.tone))}
          style={{ width: `${(segment.count / total) * 100}%` }}
        />
      ))}
    </div>
  );
}

/** How far something is, from 0 to 100. */
export function ProgressBar({ percent, label, tone = "accent" }: { percent: number; label: string; tone?: Tone }) {
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuenow={Math.round(percent)}
      aria-valuemin={0}
      aria-valuemax={100}
      className="h-1.5 overflow-hidden rounded-full bg-off-soft"
    >
      <div className={cx("h-full rounded-full transition-[width]", fillOf(tone))} style={{ width: `${percent}%` }} />
    </div>
  );
}
