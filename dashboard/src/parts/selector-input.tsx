import { useQuery } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { useId, useRef, useState } from "react";
import { bundles } from "@/api/bundles";
import { devices } from "@/api/devices";
import { groups } from "@/api/groups";
import { t } from "@/lib/i18n";
import { completions, type Known } from "@/lib/selector";
import { cx } from "@/ui/classes";
import { CONTROL } from "@/ui/field";

const PAUSE_MS = 300;

interface SelectorInputProps {
  label: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
  className?: string;
  /** Why the control plane does not understand what is written, while it is being written. */
  problem?: string | undefined;
}

/** Says which devices are meant, in the selector language or as free text, with what can stand next. */
export function SelectorInput({ label, value, onChange, className, problem }: SelectorInputProps) {
  const [text, setText] = useState(value ?? "");
  const [lastValue, setLastValue] = useState(value);
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const listId = useId();
  const offered = completions(text, useKnown());
  const isShown = isOpen && offered.length > 0;
  // The address may change by itself (back, a link); what is being typed follows it then.
  if (lastValue !== value) {
    setLastValue(value);
    if (value !== (text.trim() || undefined)) setText(value ?? "");
  }
  const change = (next: string) => {
    setText(next);
    setActive(-1);
    setOpen(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange(next.trim() || undefined), PAUSE_MS);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const choice = offered[active];
    if (event.key === "ArrowDown" && offered.length > 0) {
      setOpen(true);
      setActive((active + 1) % offered.length);
    } else if (event.key === "ArrowUp" && isShown) setActive((active - 1 + offered.length) % offered.length);
    else if (event.key === "Enter" && isShown && choice !== undefined) change(choice.text);
    else if (event.key === "Escape" && isShown) setOpen(false);
    else return;
    event.preventDefault();
  };
  return (
    <div className={cx("relative", className)}>
      <Search aria-hidden="true" size={15} className="absolute top-2.5 left-3 text-muted" />
      <input
        name="q"
        role="combobox"
        aria-label={label}
        aria-expanded={isShown}
        aria-controls={listId}
        aria-autocomplete="list"
        aria-invalid={problem === undefined ? undefined : true}
        aria-describedby={problem === undefined ? undefined : `${listId}-problem`}
        aria-activedescendant={active >= 0 ? `${listId}-${active}` : undefined}
        placeholder={t("devices.selectorHint")}
        value={text}
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="none"
        onChange={(event) => change(event.target.value)}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
        className={cx(CONTROL, "h-9 w-full pl-9")}
      />
      {problem !== undefined && (
        <p id={`${listId}-problem`} role="status" className="mt-1 text-xs text-bad">
          {problem}
        </p>
      )}
      <div
        id={listId}
        role="listbox"
        aria-label={t("devices.completions")}
        className={cx(
          "absolute top-10 left-0 z-20 w-72 max-w-full rounded-xl border border-line bg-raised p-1 shadow-pop",
          !isShown && "hidden",
        )}
      >
        {offered.map((each, index) => (
          <div
            key={each.label}
            id={`${listId}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === active}
            // Before the input loses the focus, which would close the list under the pointer.
            onPointerDown={(event) => {
              event.preventDefault();
              change(each.text);
            }}
            className={cx(
              "cursor-pointer truncate rounded-lg px-2.5 py-1.5 font-mono text-xs hover:bg-hover",
              index === active && "bg-hover",
            )}
          >
            {each.label}
          </div>
        ))}
      </div>
    </div>
  );
}

const SAMPLE = 100;

/** What the fleet holds that is worth offering: groups, bundles, and the tags of some devices. */
function useKnown(): Known {
  const { data: grouped } = useQuery(groups);
  const { data: packed } = useQuery({ ...bundles({}, { limit: SAMPLE }), staleTime: 60_000 });
  const { data: sample } = useQuery({ ...devices({}, { limit: SAMPLE }), refetchInterval: false, staleTime: 60_000 });
  return {
    groups: grouped?.groups.map((group) => group.name) ?? [],
    bundles: [...new Set(packed?.bundles.map((bundle) => bundle.name))],
    versions: [...new Set(packed?.bundles.map((bundle) => bundle.version))],
    tags: (sample?.devices ?? []).flatMap((device) =>
      Object.entries(device.tags).map(([key, value]) => ({ key, value })),
    ),
  };
}
