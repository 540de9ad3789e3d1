import { type ReactNode, useEffect } from "react";
import { t } from "@/lib/i18n";

interface PageProps {
  title: string;
  /** Beside the title: a status, a count. */
  aside?: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A page: its title is the document's and the main heading, which receives the focus when the route changes. */
export function Page({ title, aside, lead, actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Kernex`;
  }, [title]);
  return (
    <div className="mx-auto w-full max-w-[100rem] px-4 py-5 sm:px-6 lg:px-8">
      <div className="mb-5 flex flex-wrap items-start justify-between gap-x-4 gap-y-3">
        <div className="min-w-0">
          <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <h1 tabIndex={-1} className="min-w-0 text-xl font-semibold tracking-tight break-words outline-none">
              {title}
            </h1>
            {aside}
          </div>
          {lead !== undefined && <p className="mt-1 max-w-3xl text-muted">{lead}</p>}
        </div>
        {actions !== undefined && (
          <div data-noprint className="flex flex-wrap items-center gap-2">
            {actions}
          </div>
        )}
      </div>
      {children}
    </div>
  );
}

/** Lines that stand where content will, so that nothing jumps when it comes. */
export function Skeleton({ rows = 6, height = "h-9" }: { rows?: number; height?: string }) {
  return (
    <div role="status" aria-label={t("state.loading")} className="grid gap-2 p-4">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className={`skeleton ${height}`} />
      ))}
    </div>
  );
}
