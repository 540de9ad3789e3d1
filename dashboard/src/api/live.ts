/** Milliseconds between two reads of what changes by itself, while nothing tells of changes. */
export const LIVE_MS = 5_000;
/** The least between two reads while events tell of changes: figures such as CPU are no events. */
const QUIET_MS = 15_000;

let isTold = false;

/** Whether events arrive. */
export function setTold(told: boolean): void {
  isTold = told;
}

/** How often to read something again. */
export function every(milliseconds: number): () => number {
  return () => (isTold ? Math.max(milliseconds, QUIET_MS) : milliseconds);
}
