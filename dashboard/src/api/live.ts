/** Milliseconds between two reads of what changes by itself. */
export const LIVE_MS = 5_000;

/** How often to read something again. */
export function every(milliseconds: number): number {
  return milliseconds;
}
