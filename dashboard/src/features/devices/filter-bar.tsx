import { Search, X } from "lucide-react";
import { useRef, useState } from "react";
import { t, word } from "@/lib/i18n";
import { cx } from "@/ui/classes";
import { CONTROL } from "@/ui/field";

interface Filter {
  q?: string | undefined;
  status?: string | undefined;
  tag?: string | undefined;
  version?: string | undefined;
}

const STATUSES = ["online", "degraded", "error", "offline", "pending_approval", "decommissioned"];
/** Long enough not to ask for each letter, short enough to feel immediate. */
const PAUSE_MS = 250;

/** What the list is narrowed to; everything stands in the address, so that a view can be kept as a bookmark. */
export function FilterBar({ search, onChange }: { search: Filter; onChange: (change: Filter) => void }) {
  return (
    <search data-noprint data-keep-focus className="mb-3 flex flex-wrap gap-2">
      <TypedFilter
        name="q"
        label={t("devices.search")}
        placeholder={t("devices.searchHint")}
        value={search.q}
        onChange={(q) => onChange({ q })}
        className="min-w-52 flex-1 sm:max-w-96"
        icon
      />
      <select
        aria-label={t("devices.status")}
        value={search.status ?? ""}
        onChange={(event) => onChange({ status: event.target.value || undefined })}
        className={cx(CONTROL, "h-9 w-auto flex-1 sm:flex-none")}
      >
        <option value="">{t("devices.anyStatus")}</option>
        {STATUSES.map((status) => (
          <option key={status} value={status}>
            {word("status", status)}
          </option>
        ))}
      </select>
      <TypedFilter
        name="tag"
        label={t("devices.tag")}
        placeholder={t("devices.tagHint")}
        value={search.tag}
        onChange={(tag) => onChange({ tag })}
        className="w-36 flex-1 sm:flex-none"
      />
      <TypedFilter
        name="version"
        label={t("devices.version")}
        placeholder={t("devices.version")}
        value={search.version}
        onChange={(version) => onChange({ version })}
        className="w-36 flex-1 sm:flex-none"
      />
    </search>
  );
}

interface TypedFilterProps {
  name: string;
  label: string;
  placeholder: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
  className: string;
  icon?: boolean;
}

function TypedFilter({ name, label, placeholder, value, onChange, className, icon = false }: TypedFilterProps) {
  const [text, setText] = useState(value ?? "");
  const [known, setKnown] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  // The address may change by itself (back, a link); what is being typed follows it then.
  if (known !== value) {
    setKnown(value);
    if (value !== (text.trim() || undefined)) setText(value ?? "");
  }
  const change = (next: string) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange(next.trim() || undefined), PAUSE_MS);
  };
  return (
    <div className={cx("relative", className)}>
      {icon && <Search aria-hidden="true" size={15} className="absolute top-2.5 left-3 text-muted" />}
      <input
        name={name}
        type="text"
        aria-label={label}
        placeholder={placeholder}
        value={text}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => change(event.target.value)}
        className={cx(CONTROL, "h-9 w-full", icon && "pl-9", text !== "" && "pr-8")}
      />
      {text !== "" && (
        <button
          type="button"
          aria-label={t("devices.clear", { name: label })}
          onClick={() => {
            setText("");
            onChange(undefined);
          }}
          className="absolute top-1.5 right-1.5 inline-grid size-6 place-items-center rounded-md text-faint hover:bg-hover"
        >
          <X aria-hidden="true" size={13} />
        </button>
      )}
    </div>
  );
}
