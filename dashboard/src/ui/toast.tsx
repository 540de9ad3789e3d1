import { CircleAlert, CircleCheck, X } from "lucide-react";
import { useSyncExternalStore } from "react";
import { t } from "@/lib/i18n";
import { failureText } from "@/ui/failure";

interface Toast {
  id: number;
  text: string;
  failed: boolean;
}

const SHOWN_MS = 6_000;
const MOST = 4;
let toasts: Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function set(next: Toast[]): void {
  toasts = next.slice(-MOST);
  for (const listener of listeners) listener();
}

function dismiss(id: number): void {
  set(toasts.filter((toast) => toast.id !== id));
}

function show(text: string, failed: boolean): void {
  const id = nextId++;
  set([...toasts, { id, text, failed }]);
  setTimeout(() => dismiss(id), SHOWN_MS);
}

/** Says that something was done. */
export function toast(text: string): void {
  show(text, false);
}

/** Says that something was not done, and why. */
export function toastFailure(what: string, error: unknown): void {
  show(`${what}: ${failureText(error)}`, true);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div
      role="status"
      data-noprint
      className="pointer-events-none fixed top-14 right-3 left-3 z-60 grid justify-items-end gap-2 sm:top-auto sm:bottom-3 sm:left-auto"
    >
      {shown.map((toast) => (
        <div
          key={toast.id}
          className="pop-in pointer-events-auto flex max-w-md items-start gap-2.5 rounded-xl border border-line bg-raised py-2.5 pr-2 pl-3 shadow-pop"
        >
          {toast.failed ? (
            <CircleAlert aria-hidden="true" size={16} className="mt-0.5 shrink-0 text-bad" />
          ) : (
            <CircleCheck aria-hidden="true" size={16} className="mt-0.5 shrink-0 text-ok" />
          )}
          <p className="min-w-0 break-words">{toast.text}</p>
          <button
            type="button"
            aria-label={t("action.dismiss")}
            onClick={() => dismiss(toast.id)}
            className="inline-grid size-6 shrink-0 place-items-center rounded-md text-faint hover:bg-hover"
          >
            <X aria-hidden="true" size={13} />
          </button>
        </div>
      ))}
    </div>
  );
}
