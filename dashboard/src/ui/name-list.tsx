import { t } from "@/lib/i18n";

const SHOWN = 8;

/** The first few names, and how many more there are. */
export function NameList({ names }: { names: string[] }) {
  const rest = names.length - SHOWN;
  return (
    <ul className="grid gap-0.5 rounded-lg border border-line bg-sunken px-3 py-2 text-[0.8125rem]">
      {names.slice(0, SHOWN).map((name, index) => (
        <li key={index} className="truncate">
          {name}
        </li>
      ))}
      {rest > 0 && <li className="text-muted">{t("list.more", { count: rest })}</li>}
    </ul>
  );
}
