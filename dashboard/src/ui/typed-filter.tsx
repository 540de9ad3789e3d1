import { Search, X } from "lucide-react";
import { useRef, useState } from "react";
import { t } from "@/lib/i18n";
import { cx } from "@/ui/classes";
import { CONTROL } from "@/ui/field";

/** Long enough not to ask for each letter, short enough to feel immediate. */
const PAUSE_MS = 250;

interface TypedFilterProps {
  name: string;
  label: string;
  placeholder: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
  className: string;
  icon?: boolean;
}

/** A filter that is typed: the address follows after a moment, and what is typed follows the address. */
export function TypedFilter({ name, label, placeholder, value, onChange, className, icon = false }: TypedFilterProps) {
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
