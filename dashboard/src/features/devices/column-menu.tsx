import { Popover } from "@base-ui/react/popover";
import { Columns3 } from "lucide-react";
import { COLUMNS, DEFAULT_COLUMNS } from "@/features/devices/columns";
import { t } from "@/lib/i18n";
import { buttonClass } from "@/ui/button";
import { Checkbox } from "@/ui/field";

/** Which columns the list shows; the choice is part of the address. */
export function ColumnMenu({ shown, onChange }: { shown: string[]; onChange: (columns: string | undefined) => void }) {
  const toggle = (id: string) => {
    const next = COLUMNS.map((each) => each.id).filter((each) => (each === id) !== shown.includes(each));
    onChange(next.join(",") === DEFAULT_COLUMNS.join(",") ? undefined : next.join(",") || ",");
  };
  return (
    <Popover.Root>
      <Popover.Trigger className={buttonClass("secondary")}>
        <Columns3 aria-hidden="true" size={15} />
        {t("devices.columns")}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner align="end" sideOffset={6} className="z-50">
          <Popover.Popup
            aria-label={t("devices.columns")}
            className="pop-in grid min-w-48 rounded-xl border border-line bg-raised p-1.5 shadow-pop outline-none"
          >
            {COLUMNS.map((each) => (
              <label key={each.id} className="flex items-center gap-2.5 rounded-lg px-2 py-1.5 hover:bg-hover">
                <Checkbox checked={shown.includes(each.id)} onChange={() => toggle(each.id)} />
                {t(each.label)}
              </label>
            ))}
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}
