import { useSyncExternalStore } from "react";

interface Freshness {
  isFresh: boolean;
  /** When the control plane last answered. */
  answeredAt: string | null;
}

let state: Freshness = { isFresh: true, answeredAt: null };
const listeners = new Set<() => void>();

function set(next: Freshness): void {
  state = next;
  for (const listener of listeners) listener();
}

/** The control plane answered; noted at most once a second, so that no page is drawn for it. */
export function noteAnswer(): void {
  const now = new Date();
  const last = state.answeredAt === null ? 0 : new Date(state.answeredAt).getTime();
  if (state.isFresh && now.getTime() - last < 1_000) return;
  set({ isFresh: true, answeredAt: now.toISOString() });
}

/** The control plane did not answer. */
export function noteFailure(): void {
  if (state.isFresh) set({ ...state, isFresh: false });
}

export function useFreshness(): Freshness {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}
