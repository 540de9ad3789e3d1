/** The fields of the selector language, as docs/selectors.md lists them. */
export const FIELDS = [
  "status",
  "name",
  "type",
  "arch",
  "agent_version",
  "last_seen",
  "registered",
  "group",
  "bundle",
  "bundle.version",
  "tag.",
  "id",
];

const STATUSES = ["online", "degraded", "error", "offline", "pending_approval", "decommissioned"];
const AGES = ["10m", "1h", "24h", "7d"];

export interface Known {
  groups: string[];
  bundles: string[];
  versions: string[];
  tags: { key: string; value: string }[];
}

/** What may stand where the cursor is: whole texts, with what is offered in place of the unfinished word. */
export function completions(text: string, known: Known): { label: string; text: string }[] {
  const before = text.replace(/[^\s()]*$/, "");
  const unfinished = text.slice(before.length);
  const found = candidates(before, unfinished, known).filter(
    (each) => each.startsWith(unfinished) && each !== unfinished,
  );
  return [...new Set(found)].slice(0, 8).map((label) => ({ label, text: before + label }));
}

function candidates(before: string, unfinished: string, known: Known): string[] {
  const test = /^([a-zA-Z0-9_.-]+)(!=|<=|>=|==|=|<|>|~)/.exec(unfinished);
  if (test?.[1] !== undefined) return valuesOf(test[1], known).map((value) => `${test[0]}${quoted(value)}`);
  const isAfterTest = /[^\s(]\s+$/.test(before) && !/(^|\s|\()(and|or|not)\s+$/.test(before);
  const keys = [...new Set(known.tags.map((tag) => tag.key))];
  const fields = [
    ...FIELDS.filter((field) => field !== "tag.").map((field) => (isAge(field) ? `${field}<` : `${field}=`)),
    ...known.bundles.map((name) => `bundle.${name}=`),
    ...keys.map((key) => (FIELDS.includes(key) ? `tag.${key}=` : `${key}=`)),
  ];
  return isAfterTest ? ["and ", "or ", ...fields] : [...fields, "not "];
}

function valuesOf(field: string, known: Known): string[] {
  if (field === "status") return STATUSES;
  if (isAge(field)) return AGES;
  if (field === "group") return known.groups;
  if (field === "bundle") return known.bundles;
  if (field.startsWith("bundle.")) return known.versions;
  const key = field.replace(/^tag\./, "");
  return known.tags.filter((tag) => tag.key === key).map((tag) => tag.value);
}

function isAge(field: string): boolean {
  return field === "last_seen" || field === "registered";
}

/** A value that holds more than plain characters stands in quotes. */
function quoted(value: string): string {
  return /^[A-Za-z0-9_.:/@+-]+$/.test(value) ? value : `"${value.replace(/[\\"]/g, "\\$&")}"`;
}
