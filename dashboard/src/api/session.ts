/** The access token lives in memory only: no other tab, no storage, no script of another origin ever sees it. */
let token: string | null = null;
let onEnded: () => void = () => {};

export function bearer(): string | null {
  return token;
}

export function setBearer(value: string | null): void {
  token = value;
}

/** What happens when the control plane says that nobody is logged in. */
export function whenSessionEnds(listener: () => void): void {
  onEnded = listener;
}

export function sessionEnded(): void {
  token = null;
  onEnded();
}
