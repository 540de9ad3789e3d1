import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { me } from "@/api/auth";
import { ApiFailure } from "@/api/errors";
import { NotFound, RouteFailure, RoutePending } from "@/app/route-states";
import { Shell } from "@/app/shell";

interface Context {
  client: QueryClient;
}

type Search = Record<string, unknown>;

/** A search parameter as text; numbers and the like that a person typed are text too. */
function text(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

/** Keeps the named parameters and drops what is absent, so that addresses stay short. */
function texts<K extends string>(search: Search, ...names: K[]): { [Name in K]?: string | undefined } {
  const entries = names.map((name) => [name, text(search[name])] as const).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in K]?: string | undefined };
}

const root = createRootRouteWithContext<Context>()({ component: Outlet, notFoundComponent: NotFound });

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search: Search) => texts(search, "next"),
  component: lazyRouteComponent(() => import("@/features/session/login-page"), "LoginPage"),
});

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  component: lazyRouteComponent(() => import("@/features/session/setup-page"), "SetupPage"),
});

/** Everything that needs a login. */
const app = createRoute({
  getParentRoute: () => root,
  id: "app",
  component: Shell,
  notFoundComponent: NotFound,
  beforeLoad: async ({ context, location }) => {
    const toLogin = () => redirect({ to: "/login", search: location.href === "/" ? {} : { next: location.href } });
    try {
      await context.client.ensureQueryData(me);
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 401) throw toLogin();
      throw error;
    }
  },
});

const overview = createRoute({
  getParentRoute: () => app,
  path: "/",
  component: lazyRouteComponent(() => import("@/features/overview/overview-page"), "OverviewPage"),
});

const devices = createRoute({
  getParentRoute: () => app,
  path: "/devices",
  validateSearch: (search: Search) => texts(search, "q", "status", "version", "columns", "cursor", "trail", "sort"),
  component: lazyRouteComponent(() => import("@/features/devices/devices-page"), "DevicesPage"),
});

const approvals = createRoute({
  getParentRoute: () => app,
  path: "/approvals",
  component: lazyRouteComponent(() => import("@/features/devices/approvals-page"), "ApprovalsPage"),
});

const device = createRoute({
  getParentRoute: () => app,
  path: "/devices/$deviceId",
  component: lazyRouteComponent(() => import("@/features/devices/device-page"), "DevicePage"),
});

const deviceOverview = createRoute({
  getParentRoute: () => device,
  path: "/",
  component: lazyRouteComponent(() => import("@/features/devices/device-overview"), "DeviceOverview"),
});

const deviceMetrics = createRoute({
  getParentRoute: () => device,
  path: "/metrics",
  validateSearch: (search: Search) => texts(search, "range"),
  component: lazyRouteComponent(() => import("@/features/devices/device-metrics"), "DeviceMetrics"),
});

const deviceLogs = createRoute({
  getParentRoute: () => device,
  path: "/logs",
  validateSearch: (search: Search) => texts(search, "level", "find"),
  component: lazyRouteComponent(() => import("@/features/devices/device-logs"), "DeviceLogs"),
});

const deviceConfig = createRoute({
  getParentRoute: () => device,
  path: "/config",
  component: lazyRouteComponent(() => import("@/features/devices/device-config"), "DeviceConfig"),
});

const deviceBundles = createRoute({
  getParentRoute: () => device,
  path: "/bundles",
  component: lazyRouteComponent(() => import("@/features/devices/device-bundles"), "DeviceBundles"),
});

const deviceSettings = createRoute({
  getParentRoute: () => device,
  path: "/settings",
  component: lazyRouteComponent(() => import("@/features/devices/device-settings"), "DeviceSettings"),
});

const bundles = createRoute({
  getParentRoute: () => app,
  path: "/bundles",
  validateSearch: (search: Search) => ({
    ...texts(search, "name", "cursor", "trail"),
    ...(search["upload"] === true ? { upload: true } : {}),
  }),
  component: lazyRouteComponent(() => import("@/features/bundles/bundles-page"), "BundlesPage"),
});

const bundle = createRoute({
  getParentRoute: () => app,
  path: "/bundles/$bundleId",
  validateSearch: (search: Search) => texts(search, "compare"),
  component: lazyRouteComponent(() => import("@/features/bundles/bundle-page"), "BundlePage"),
});

const deployments = createRoute({
  getParentRoute: () => app,
  path: "/deployments",
  validateSearch: (search: Search) => texts(search, "status", "cursor", "trail"),
  component: lazyRouteComponent(() => import("@/features/deployments/deployments-page"), "DeploymentsPage"),
});

const newDeployment = createRoute({
  getParentRoute: () => app,
  path: "/deployments/new",
  validateSearch: (search: Search) => texts(search, "bundle", "devices", "q", "status", "tag", "step"),
  component: lazyRouteComponent(() => import("@/features/deployments/new-deployment-page"), "NewDeploymentPage"),
});

const deployment = createRoute({
  getParentRoute: () => app,
  path: "/deployments/$deploymentId",
  validateSearch: (search: Search) => texts(search, "state"),
  component: lazyRouteComponent(() => import("@/features/deployments/deployment-page"), "DeploymentPage"),
});

const tokens = createRoute({
  getParentRoute: () => app,
  path: "/registration-tokens",
  component: lazyRouteComponent(() => import("@/features/settings/tokens-page"), "TokensPage"),
});

const groups = createRoute({
  getParentRoute: () => app,
  path: "/groups",
  component: lazyRouteComponent(() => import("@/features/groups/groups-page"), "GroupsPage"),
});

const audit = createRoute({
  getParentRoute: () => app,
  path: "/audit",
  validateSearch: (search: Search) =>
    texts(search, "actor", "action", "result", "object_id", "from", "to", "cursor", "trail"),
  component: lazyRouteComponent(() => import("@/features/audit/audit-page"), "AuditPage"),
});

const account = createRoute({
  getParentRoute: () => app,
  path: "/account",
  component: lazyRouteComponent(() => import("@/features/account/account-page"), "AccountPage"),
});

const system = createRoute({
  getParentRoute: () => app,
  path: "/system",
  component: lazyRouteComponent(() => import("@/features/settings/system-page"), "SystemPage"),
});

const tree = root.addChildren([
  login,
  setup,
  app.addChildren([
    overview,
    devices,
    approvals,
    device.addChildren([deviceOverview, deviceMetrics, deviceLogs, deviceConfig, deviceBundles, deviceSettings]),
    bundles,
    bundle,
    deployments,
    newDeployment,
    deployment,
    groups,
    audit,
    account,
    tokens,
    system,
  ]),
]);

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { client },
    defaultPreload: "intent",
    scrollRestoration: true,
    defaultErrorComponent: RouteFailure,
    defaultPendingComponent: RoutePending,
    defaultPendingMs: 300,
    defaultNotFoundComponent: NotFound,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
