/** One value that differs between two versions, as text. */
export interface Change {
  path: string;
  before: string;
  after: string;
}

const NOT_SETTINGS = ["version", "created_at", "created_by"];

/** What differs, down to single entries of the free data. */
export function changesBetween(before: object | undefined, after: object | undefined): Change[] {
  if (before === undefined || after === undefined) return [];
  const [old, next] = [flat(before), flat(after)];
  const all = [...new Set([...old.keys(), ...next.keys()])].sort();
  return all
    .filter((path) => old.get(path) !== next.get(path))
    .map((path) => ({ path, before: old.get(path) ?? "–", after: next.get(path) ?? "–" }));
}

function flat(values: object, prefix = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(values) as [string, unknown][]) {
    if (prefix === "" && NOT_SETTINGS.includes(key)) continue;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      for (const [inner, text] of flat(value, `${prefix}${key}.`)) found.set(inner, text);
    } else if (value !== null && value !== undefined) {
      found.set(`${prefix}${key}`, JSON.stringify(value));
    }
  }
  return found;
}
