import { word } from "@/lib/i18n";
import { SegmentBar } from "@/ui/bar";
import { toneOf } from "@/ui/status";

interface Counts {
  success: number;
  in_progress: number;
  pending: number;
  failed: number;
  rolled_back: number;
  cancelled: number;
}

const ORDER = ["success", "in_progress", "rolled_back", "failed", "cancelled"] as const;

/** How far a deployment's devices are. Those that wait are the empty rest. */
export function ProgressStrip({ progress, className }: { progress: Counts; className?: string }) {
  const segments = ORDER.map((key) => ({ key, label: word("status", key), count: progress[key], tone: toneOf(key) }));
  const waiting = { key: "pending", label: word("status", "pending"), count: progress.pending, tone: "none" as const };
  return <SegmentBar segments={[...segments, waiting]} {...(className === undefined ? {} : { className })} />;
}
