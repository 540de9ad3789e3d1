import { useSuspenseQuery } from "@tanstack/react-query";
import { Outlet, useRouterState } from "@tanstack/react-router";
import { CircleUser, Menu as MenuIcon, Search } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { me, type User } from "@/api/auth";
import { FreshnessIndicator } from "@/app/freshness-indicator";
import { Sidebar } from "@/app/sidebar";
import { t } from "@/lib/i18n";
import { buttonClass } from "@/ui/button";

const Palette = lazy(() => import("@/app/palette").then((module) => ({ default: module.Palette })));
const UserMenu = lazy(() => import("@/app/user-menu").then((module) => ({ default: module.UserMenu })));

/** What surrounds every page of somebody who is logged in. */
export function Shell() {
  const { data: user } = useSuspenseQuery(me);
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  const drawer = useRef<HTMLDialogElement>(null);
  usePaletteKey(() => setPaletteOpen((open) => !open));
  useFocusOnNavigation();
  return (
    <div className="grid min-h-dvh lg:grid-cols-[14.5rem_minmax(0,1fr)]">
      <a
        href="#main"
        className="sr-only z-60 rounded-lg bg-raised px-3 py-2 shadow-pop focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        {t("nav.skip")}
      </a>
      <div data-noprint className="sticky top-0 hidden h-dvh border-r border-line bg-surface lg:block">
        <Sidebar user={user} />
      </div>
      <dialog
        ref={drawer}
        aria-label={t("nav.main")}
        className="m-0 h-dvh max-h-none w-64 max-w-[85vw] border-r border-line bg-surface backdrop:bg-black/45 lg:hidden"
        onClick={(event) => event.target === drawer.current && drawer.current?.close()}
        onKeyDown={() => {}}
      >
        <Sidebar user={user} onNavigate={() => drawer.current?.close()} />
      </dialog>
      <div className="flex min-w-0 flex-col">
        <header
          data-chrome
          className="sticky top-0 z-30 flex h-12 items-center gap-2 border-b border-line bg-canvas/85 px-3 backdrop-blur sm:px-6 lg:px-8"
        >
          <button
            type="button"
            aria-label={t("nav.open")}
            className={buttonClass("ghost", "icon", "lg:hidden")}
            onClick={() => drawer.current?.showModal()}
          >
            <MenuIcon aria-hidden="true" size={18} />
          </button>
          <button
            type="button"
            onClick={() => setPaletteOpen(true)}
            className="flex h-8 min-w-0 flex-1 items-center gap-2 rounded-lg border border-line bg-surface px-2.5 text-left text-muted hover:bg-hover sm:max-w-80"
          >
            <Search aria-hidden="true" size={15} className="shrink-0" />
            <span className="min-w-0 flex-1 truncate">{t("palette.open")}</span>
            <kbd className="rounded border border-line px-1.5 font-sans text-xs max-sm:hidden">{paletteKey()}</kbd>
          </button>
          <div className="flex-1 max-sm:hidden" />
          <FreshnessIndicator />
          <UserButton user={user} />
        </header>
        <main id="main" tabIndex={-1} className="min-w-0 flex-1 outline-none">
          <Outlet />
        </main>
      </div>
      {isPaletteOpen && (
        <Suspense>
          <Palette user={user} onClose={() => setPaletteOpen(false)} />
        </Suspense>
      )}
    </div>
  );
}

/** The menu's code comes when somebody first opens it. */
function UserButton({ user }: { user: User }) {
  const [isWanted, setWanted] = useState(false);
  const button = (
    <button
      type="button"
      aria-haspopup="menu"
      aria-label={t("user.menu", { name: user.username })}
      onClick={() => setWanted(true)}
      className={buttonClass("ghost", "icon")}
    >
      <CircleUser aria-hidden="true" size={18} />
    </button>
  );
  return isWanted ? (
    <Suspense fallback={button}>
      <UserMenu user={user} />
    </Suspense>
  ) : (
    button
  );
}

function paletteKey(): string {
  return navigator.platform.startsWith("Mac") ? "⌘K" : "Ctrl K";
}

function usePaletteKey(toggle: () => void): void {
  const latest = useRef(toggle);
  latest.current = toggle;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.metaKey || event.ctrlKey)) return;
      event.preventDefault();
      latest.current();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
}

/** After a navigation the heading has the focus, so that a screen reader says where one is; not at the first load. */
function useFocusOnNavigation(): void {
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = path === undefined;
      return;
    }
    if (document.activeElement?.closest("[data-keep-focus]")) return;
    document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
  }, [path]);
}
