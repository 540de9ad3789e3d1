import { t, word } from "@/lib/i18n";
import { SelectorInput } from "@/parts/selector-input";
import { Select } from "@/ui/field";
import { TypedFilter } from "@/ui/typed-filter";

interface Filter {
  q?: string | undefined;
  status?: string | undefined;
  version?: string | undefined;
}

const STATUSES = ["online", "degraded", "error", "offline", "pending_approval", "decommissioned"];

interface FilterBarProps {
  search: Filter;
  onChange: (change: Filter) => void;
  problem: string | undefined;
}

/** What the list is narrowed to; everything stands in the address, so that a view can be kept as a bookmark. */
export function FilterBar({ search, onChange, problem }: FilterBarProps) {
  return (
    <search data-noprint data-keep-focus className="mb-3 flex flex-wrap gap-2">
      <SelectorInput
        label={t("devices.search")}
        value={search.q}
        onChange={(q) => onChange({ q })}
        problem={problem}
        className="min-w-60 flex-1"
      />
      <Select
        aria-label={t("devices.status")}
        value={search.status ?? ""}
        onChange={(event) => onChange({ status: event.target.value || undefined })}
        className="w-auto flex-1 sm:flex-none"
      >
        <option value="">{t("devices.anyStatus")}</option>
        {STATUSES.map((status) => (
          <option key={status} value={status}>
            {word("status", status)}
          </option>
        ))}
      </Select>
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
