/** Reads a setting of this browser; storage can be forbidden or hold anything. */
export function readSetting(key: string): string | null {
  try {
    return localStorage.getItem(`kernex.${key}`);
  } catch {
    return null;
  }
}

export function writeSetting(key: string, value: string): void {
  try {
    localStorage.setItem(`kernex.${key}`, value);
  } catch {
    // A forbidden storage only means that the choice is not kept.
  }
}
