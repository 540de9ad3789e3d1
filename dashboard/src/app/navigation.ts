import type { LinkProps } from "@tanstack/react-router";
import { Boxes, Gauge, HardDrive, type LucideIcon, Rocket, ServerCog, Ticket, UserCheck } from "lucide-react";
import type { Role } from "@/api/auth";
import type { MessageKey } from "@/lib/i18n";

export interface Place {
  to: NonNullable<LinkProps["to"]>;
  label: MessageKey;
  icon: LucideIcon;
  /** Who may see it; everybody when absent. */
  roles?: Role[];
}

export interface Section {
  label: MessageKey | null;
  places: Place[];
}

/** Every place of the main navigation; the command palette offers the same. */
export const sections: Section[] = [
  { label: null, places: [{ to: "/", label: "nav.overview", icon: Gauge }] },
  {
    label: "nav.fleet",
    places: [
      { to: "/devices", label: "nav.devices", icon: HardDrive },
      { to: "/approvals", label: "nav.approvals", icon: UserCheck },
    ],
  },
  {
    label: "nav.releases",
    places: [
      { to: "/bundles", label: "nav.bundles", icon: Boxes },
      { to: "/deployments", label: "nav.deployments", icon: Rocket },
    ],
  },
  {
    label: "nav.administration",
    places: [
      { to: "/registration-tokens", label: "nav.tokens", icon: Ticket, roles: ["admin", "ops"] },
      { to: "/system", label: "nav.system", icon: ServerCog },
    ],
  },
];

/** The sections that somebody with this role sees. */
export function sectionsFor(role: Role): Section[] {
  return sections
    .map((section) => ({ ...section, places: section.places.filter((place) => place.roles?.includes(role) ?? true) }))
    .filter((section) => section.places.length > 0);
}
