import { Dialog as Base } from "@base-ui/react/dialog";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Boxes, HardDrive, type LucideIcon, Plus, Search } from "lucide-react";
import { useDeferredValue, useId, useState } from "react";
import { can, type User } from "@/api/auth";
import { bundles } from "@/api/bundles";
import { devices } from "@/api/devices";
import { sectionsFor } from "@/app/navigation";
import { deviceLabel, shortId } from "@/lib/format";
import { t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { cx } from "@/ui/classes";
import { Status } from "@/ui/status";

interface Entry {
  id: string;
  icon: LucideIcon;
  label: string;
  aside?: React.ReactNode;
  go: () => void;
}

/** Goes anywhere: places, actions, and devices and bundles by name. */
export function Palette({ user, onClose }: { user: User; onClose: () => void }) {
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const listId = useId();
  const entries = useEntries(user, text, onClose);
  const move = (step: number) => setActive((active + step + entries.length) % Math.max(entries.length, 1));
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter") entries[active]?.go();
    else return;
    event.preventDefault();
  };
  return (
    <Base.Root open onOpenChange={(open) => !open && onClose()}>
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-40 bg-black/45" />
        <Base.Popup className="pop-in fixed inset-x-3 top-[10vh] z-50 mx-auto max-w-xl overflow-hidden rounded-2xl border border-line bg-raised shadow-pop outline-none">
          <Base.Title className="sr-only">{t("palette.open")}</Base.Title>
          <div className="flex items-center gap-3 border-b border-line px-4">
            <Search aria-hidden="true" size={16} className="shrink-0 text-muted" />
            <input
              // biome-ignore lint/a11y/noAutofocus: the dialog was opened to type into it
              autoFocus
              role="combobox"
              aria-expanded="true"
              aria-controls={listId}
              aria-activedescendant={entries[active] ? `${listId}-${active}` : undefined}
              aria-label={t("palette.open")}
              placeholder={t("palette.placeholder")}
              value={text}
              onChange={(event) => {
                setText(event.target.value);
                setActive(0);
              }}
              onKeyDown={onKeyDown}
              className="h-12 min-w-0 flex-1 bg-transparent text-[0.9375rem] outline-none"
            />
          </div>
          <div
            id={listId}
            role="listbox"
            aria-label={t("palette.results")}
            className="max-h-[55vh] overflow-y-auto p-1.5"
          >
            {entries.map((entry, index) => (
              <div
                key={entry.id}
                id={`${listId}-${index}`}
                role="option"
                tabIndex={-1}
                aria-selected={index === active}
                ref={index === active ? scrollIntoView : undefined}
                onMouseMove={() => setActive(index)}
                onClick={entry.go}
                onKeyDown={onKeyDown}
                className={cx(
                  "flex h-10 cursor-pointer items-center gap-3 rounded-lg px-2.5",
                  index === active && "bg-hover",
                )}
              >
                <entry.icon aria-hidden="true" size={16} className="shrink-0 text-muted" />
                <span className="min-w-0 flex-1 truncate">{entry.label}</span>
                <span className="shrink-0 text-xs text-muted">{entry.aside}</span>
              </div>
            ))}
          </div>
          {entries.length === 0 && <p className="px-4 pb-5 text-center text-muted">{t("palette.nothing")}</p>}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

function scrollIntoView(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: "nearest" });
}

const FOUND = 6;

function useEntries(user: User, text: string, onClose: () => void): Entry[] {
  const navigate = useNavigate();
  const asked = useDeferredValue(text.trim());
  const found = useQuery({ ...devices({ q: asked }, { limit: FOUND }), enabled: asked.length > 1 });
  const packed = useQuery({ ...bundles({}, { limit: 200 }), enabled: asked.length > 1 });
  const fits = (label: string) => label.toLowerCase().includes(asked.toLowerCase());
  const go = (travel: () => Promise<void>) => () => {
    onClose();
    void travel();
  };
  const places: Entry[] = sectionsFor(user)
    .flatMap((section) => section.places)
    .map((place) => ({
      id: place.label,
      icon: place.icon,
      label: t(place.label),
      go: go(() => navigate({ to: place.to })),
    }));
  const actions: Entry[] = !can(user, "deployments:write")
    ? []
    : [
        { id: "deploy", icon: Plus, label: t("deployments.new"), go: go(() => navigate(paths.newDeployment())) },
        {
          id: "upload",
          icon: Plus,
          label: t("bundles.upload"),
          go: go(() => navigate({ to: "/bundles", search: { upload: true } })),
        },
      ];
  const matching: Entry[] = (asked.length > 1 ? (found.data?.devices ?? []) : []).slice(0, FOUND).map((device) => ({
    id: device.device_id,
    icon: HardDrive,
    label: deviceLabel(device),
    aside: <Status value={device.status} />,
    go: go(() => navigate(paths.device(device.device_id))),
  }));
  const archives: Entry[] = (asked.length > 1 ? (packed.data?.bundles ?? []) : [])
    .map((bundle) => ({
      id: bundle.bundle_id,
      icon: Boxes,
      label: `${bundle.name} ${bundle.version}`,
      aside: shortId(bundle.bundle_id),
      go: go(() => navigate(paths.bundle(bundle.bundle_id))),
    }))
    .filter((entry) => fits(entry.label))
    .slice(0, FOUND);
  return [...[...places, ...actions].filter((entry) => fits(entry.label)), ...matching, ...archives];
}
