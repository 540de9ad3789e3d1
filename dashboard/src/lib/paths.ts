import { linkOptions } from "@tanstack/react-router";

/** The filters that other pages link to. */
export interface DeviceLink {
  q?: string | undefined;
  status?: string | undefined;
  version?: string | undefined;
}

/** What a new deployment begins with. */
export interface DeploymentLink {
  bundle?: string | undefined;
  devices?: string | undefined;
}

/** Every address that is linked to from more than one place. */
export const paths = {
  devices: (search: DeviceLink = {}) => linkOptions({ to: "/devices", search }),
  device: (deviceId: string) => linkOptions({ to: "/devices/$deviceId", params: { deviceId } }),
  deviceTab: (deviceId: string, tab: "metrics" | "logs" | "config" | "bundles" | "settings") =>
    linkOptions({ to: `/devices/$deviceId/${tab}`, params: { deviceId } }),
  approvals: () => linkOptions({ to: "/approvals" }),
  bundles: () => linkOptions({ to: "/bundles" }),
  bundle: (bundleId: string) => linkOptions({ to: "/bundles/$bundleId", params: { bundleId } }),
  deployments: (status?: string) => linkOptions({ to: "/deployments", search: status ? { status } : {} }),
  deployment: (deploymentId: string) => linkOptions({ to: "/deployments/$deploymentId", params: { deploymentId } }),
  newDeployment: (search: DeploymentLink = {}) => linkOptions({ to: "/deployments/new", search }),
  tokens: () => linkOptions({ to: "/registration-tokens" }),
  system: () => linkOptions({ to: "/system" }),
};
