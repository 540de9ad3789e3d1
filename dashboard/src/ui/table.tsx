import type { ReactNode, TdHTMLAttributes, ThHTMLAttributes } from "react";
import { cx } from "@/ui/classes";

/** A table in a box that scrolls sideways on narrow screens; positioned, so that what only screen readers see stays inside. */
export function Table({ label, children }: { label: string; children: ReactNode }) {
  return (
    <section
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
      tabIndex={0}
      className="relative overflow-x-auto"
    >
      <table className="w-full border-collapse text-left">{children}</table>
    </section>
  );
}

export function Th({ className, ...rest }: ThHTMLAttributes<HTMLTableCellElement>) {
  return (
    <th
      scope="col"
      {...rest}
      className={cx(
        "h-9 border-b border-line px-3 text-xs font-medium whitespace-nowrap text-muted first:pl-4 last:pr-4",
        className,
      )}
    />
  );
}

export function Td({ className, ...rest }: TdHTMLAttributes<HTMLTableCellElement>) {
  return <td {...rest} className={cx("h-11 border-b border-line px-3 py-1.5 first:pl-4 last:pr-4", className)} />;
}

/** The class of a body whose last row needs no line. */
export const BODY = "[&>tr:last-child>td]:border-b-0 [&>tr:hover]:bg-hover/60";
