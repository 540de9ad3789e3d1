import { Link, type LinkProps } from "@tanstack/react-router";
import type { ReactNode } from "react";

/** Tabs that are addresses: each can be linked to, and the browser's back works. */
export function TabList({ label, children }: { label: string; children: ReactNode }) {
  return (
    <nav aria-label={label} className="mb-4 flex gap-1 overflow-x-auto border-b border-line">
      {children}
    </nav>
  );
}

export function TabLink({ label, exact = false, ...link }: LinkProps & { label: string; exact?: boolean }) {
  return (
    <Link
      {...link}
      activeOptions={{ exact, includeSearch: false }}
      className="relative -mb-px border-b-2 border-transparent px-2.5 pt-1 pb-2 font-medium whitespace-nowrap text-muted hover:text-ink focus-visible:-outline-offset-2 aria-[current=page]:border-accent aria-[current=page]:text-ink"
    >
      {label}
    </Link>
  );
}
