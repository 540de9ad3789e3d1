import type { ReactNode } from "react";
import { Mark } from "@/app/mark";

/** The frame of the pages before a login. */
export function SessionFrame({ title, lead, children }: { title: string; lead: ReactNode; children: ReactNode }) {
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-sm">
        <div className="mb-6 flex items-center gap-2.5">
          <Mark />
          <span className="text-base font-semibold tracking-tight">Kernex</span>
        </div>
        <div className="rounded-2xl border border-line bg-surface p-6">
          <h1 className="text-lg font-semibold tracking-tight">{title}</h1>
          <p className="mt-1 mb-5 text-muted">{lead}</p>
          {children}
        </div>
      </div>
    </main>
  );
}
