/** A word that a POSIX shell reads back unchanged. Device-made names end up in commands that people paste. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A `kernex` command line. */
export function cli(...words: string[]): string {
  return ["kernex", ...words].map(quote).join(" ");
}

/** The same request for curl; the token comes from the environment, so that no secret lands in a clipboard. */
export function curl(method: string, path: string, body?: unknown): string {
  const lines = [`curl --fail-with-body -X ${method} -H "Authorization: Bearer $KERNEX_TOKEN"`];
  if (body !== undefined) lines.push(`-H ${quote("Content-Type: application/json")} -d ${quote(JSON.stringify(body))}`);
  lines.push(quote(`${location.origin}${path}`));
  return lines.join(" \\\n  ");
}
