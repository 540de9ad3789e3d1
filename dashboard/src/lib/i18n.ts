import { en } from "@/lib/messages/en";
import { readSetting, writeSetting } from "@/lib/storage";

/** Every message that there is; other languages have the same keys. */
export type MessageKey = keyof typeof en;
export type Catalogue = Record<MessageKey, string>;
export type Language = "en" | "de";
type Values = Record<string, string | number>;

let catalogue: Catalogue = en;
let language: Language = "en";

/** Chooses the viewer's language before anything is drawn. */
export async function loadLanguage(): Promise<void> {
  const wanted = readSetting("language") ?? navigator.language.slice(0, 2);
  if (wanted !== "de") return;
  const { de } = await import("@/lib/messages/de");
  catalogue = de;
  language = "de";
}

export function currentLanguage(): Language {
  return language;
}

/** Everything on the page is text of the old language, so the page begins anew. */
export function chooseLanguage(next: Language): void {
  writeSetting("language", next);
  location.reload();
}

/** A message in the viewer's language, with `{name}` replaced. Values are text, never markup. */
export function t(key: MessageKey, values: Values = {}): string {
  return catalogue[key].replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? formatNumber(value) : value;
  });
}

type PluralKey = { [K in MessageKey]: K extends `${infer Stem}.one` ? Stem : never }[MessageKey];

/** A message that depends on how many: `key.one` or `key.other`, with `{count}`. */
export function plural(key: PluralKey, count: number, values: Values = {}): string {
  const form = count === 1 ? "one" : "other";
  return t(`${key}.${form}` as MessageKey, { count, ...values });
}

/** A message whose key is made of a word that the server sent, or that word itself when it is new to this dashboard. */
export function word(group: string, value: string): string {
  const key = `${group}.${value}`;
  return Object.hasOwn(catalogue, key) ? catalogue[key as MessageKey] : value.replaceAll("_", " ");
}

export function formatNumber(value: number, options?: Intl.NumberFormatOptions): string {
  return new Intl.NumberFormat(language, options).format(value);
}
