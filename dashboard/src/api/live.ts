/** Milliseconds between two reads of what changes by itself. */
export const LIVE_MS = 5_000;
