import { ChevronLeft, ChevronRight } from "lucide-react";
import { plural, t } from "@/lib/i18n";
import { Button } from "@/ui/button";

/** Where a list stands, as the address keeps it: the page's cursor, and those of the pages before it. */
export interface PagePosition {
  cursor?: string | undefined;
  trail?: string | undefined;
}

const FIRST = "-";
const LONGEST_TRAIL = 30;

export function pageAfter({ cursor, trail }: PagePosition, next: string): PagePosition {
  const steps = [...cursorsOf(trail), cursor ?? FIRST].slice(-LONGEST_TRAIL);
  return { cursor: next, trail: steps.join(",") };
}

export function pageBefore({ trail }: PagePosition): PagePosition {
  const steps = cursorsOf(trail);
  const last = steps.pop();
  return {
    cursor: last === FIRST ? undefined : last,
    trail: steps.length === 0 ? undefined : steps.join(","),
  };
}

function cursorsOf(trail: string | undefined): string[] {
  return trail ? trail.split(",") : [];
}

interface PagerProps {
  position: PagePosition;
  total: number | undefined;
  next: string | null | undefined;
  onMove: (position: PagePosition) => void;
}

export function Pager({ position, total, next, onMove }: PagerProps) {
  const hasBefore = position.cursor !== undefined;
  return (
    <div data-noprint className="flex items-center justify-between gap-3 border-t border-line px-4 py-2">
      <span className="tabular text-[0.8125rem] text-muted">
        {total === undefined ? "" : plural("list.total", total)}
      </span>
      {(hasBefore || next) && (
        <div className="flex gap-1.5">
          <Button size="sm" disabled={!hasBefore} onClick={() => onMove(pageBefore(position))}>
            <ChevronLeft aria-hidden="true" size={15} />
            {t("list.previous")}
          </Button>
          <Button size="sm" disabled={!next} onClick={() => next && onMove(pageAfter(position, next))}>
            {t("list.next")}
            <ChevronRight aria-hidden="true" size={15} />
          </Button>
        </div>
      )}
    </div>
  );
}
