/** The session is a cookie that no script can read; this only passes on that the control plane no longer knows it. */
let onEnded: () => void = () => {};

/** What happens when the control plane says that nobody is logged in. */
export function whenSessionEnds(listener: () => void): void {
  onEnded = listener;
}

export function sessionEnded(): void {
  onEnded();
}

/** Has to come with every change: a form of another site cannot send it. */
export const CSRF_HEADER = "X-Kernex-CSRF";
