const AT_ONCE = 4;

/** Some were done and some were not. */
export class PartlyDone extends Error {
  constructor(done: number, total: number, cause: unknown) {
    super(`${done}/${total}: ${cause instanceof Error ? cause.message : String(cause)}`);
    this.cause = cause;
  }
}

/** Does something with each, a few at a time; goes on after a failure, and reports the first one with how many were done. */
export async function forEach<T>(items: readonly T[], act: (item: T) => Promise<unknown>): Promise<void> {
  const waiting = [...items];
  const failures: unknown[] = [];
  const work = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      await act(item).catch((failure: unknown) => failures.push(failure));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failures.length === 0) return;
  if (items.length === 1) throw failures[0];
  throw new PartlyDone(items.length - failures.length, items.length, failures[0]);
}
