import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { User } from "@/api/auth";
import { stats } from "@/api/system";
import { Mark } from "@/app/mark";
import { type Place, sectionsFor } from "@/app/navigation";
import { formatNumber, t } from "@/lib/i18n";

/** The main navigation. `onNavigate` closes the drawer that holds it on a phone. */
export function Sidebar({ user, onNavigate }: { user: User; onNavigate?: () => void }) {
  return (
    <nav aria-label={t("nav.main")} className="flex h-full flex-col gap-4 overflow-y-auto px-3 py-4">
      <Link to="/" onClick={onNavigate} className="flex items-center gap-2.5 rounded-lg px-2 py-0.5">
        <Mark />
        <span className="text-[0.9375rem] font-semibold tracking-tight">Kernex</span>
      </Link>
      {sectionsFor(user).map((section) => (
        <div key={section.label ?? "top"}>
          {section.label !== null && <p className="px-2 pb-1 text-xs font-medium text-faint">{t(section.label)}</p>}
          <ul className="grid gap-0.5">
            {section.places.map((place) => (
              <li key={place.label}>
                <NavLink place={place} onNavigate={onNavigate} />
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}

function NavLink({ place, onNavigate }: { place: Place; onNavigate?: (() => void) | undefined }) {
  const Icon = place.icon;
  return (
    <Link
      to={place.to}
      onClick={onNavigate}
      activeOptions={{ exact: place.to === "/", includeSearch: false }}
      className="flex h-8 items-center gap-2.5 rounded-lg px-2 font-medium text-muted transition-colors hover:bg-hover hover:text-ink aria-[current=page]:bg-accent-soft aria-[current=page]:text-accent"
    >
      <Icon aria-hidden="true" size={16} />
      <span className="flex-1 truncate">{t(place.label)}</span>
      {place.to === "/approvals" && <PendingCount />}
    </Link>
  );
}

function PendingCount() {
  const { data } = useQuery(stats);
  if (!data?.pending_devices) return null;
  return (
    <span className="tabular rounded-full bg-accent-fill px-1.5 text-xs leading-5 font-semibold text-white">
      {formatNumber(data.pending_devices)}
    </span>
  );
}
