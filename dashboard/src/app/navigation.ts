import type { LinkProps } from "@tanstack/react-router";
import {
  Boxes,
  Gauge,
  Group,
  HardDrive,
  type LucideIcon,
  Rocket,
  ScrollText,
  ServerCog,
  Ticket,
  UserCheck,
} from "lucide-react";
import { can, type Permission, type User } from "@/api/auth";
import type { MessageKey } from "@/lib/i18n";

export interface Place {
  to: NonNullable<LinkProps["to"]>;
  label: MessageKey;
  icon: LucideIcon;
  /** The right that it needs; everybody sees it when absent. */
  needs?: Permission;
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
      { to: "/groups", label: "nav.groups", icon: Group, needs: "groups:read" },
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
      { to: "/registration-tokens", label: "nav.tokens", icon: Ticket, needs: "registration_tokens:read" },
      { to: "/audit", label: "nav.audit", icon: ScrollText, needs: "audit:read" },
      { to: "/system", label: "nav.system", icon: ServerCog },
    ],
  },
];

/** The sections that somebody sees. */
export function sectionsFor(user: User): Section[] {
  return sections
    .map((section) => ({
      ...section,
      places: section.places.filter((place) => place.needs === undefined || can(user, place.needs)),
    }))
    .filter((section) => section.places.length > 0);
}
