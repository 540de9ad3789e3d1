import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/api/client";
import { defined, type Paging } from "@/api/devices";
import { every, LIVE_MS } from "@/api/live";

export type Deployment = Schemas["Deployment"];
export type DeploymentStatus = Schemas["DeploymentStatus"];
export type Target = Schemas["Target"];

const TARGETS_PER_PAGE = 200;

export function deployments(filter: { status?: string | undefined }, paging: Paging = {}) {
  const query = defined({ ...filter, ...paging });
  return queryOptions({
    queryKey: ["deployments", query],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/deployments", { params: { query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: every(LIVE_MS),
  });
}

export function deployment(deploymentId: string) {
  return queryOptions({
    queryKey: ["deployment", deploymentId],
    queryFn: ({ signal }) => unwrap(api.GET("/api/v1/deployments/{deployment_id}", { ...at(deploymentId), signal })),
    refetchInterval: every(LIVE_MS / 2),
  });
}

export function targets(deploymentId: string, state: string | undefined) {
  return infiniteQueryOptions({
    queryKey: ["deployment", deploymentId, "targets", state ?? "all"],
    queryFn: ({ signal, pageParam }) => {
      const query = defined({ state, cursor: pageParam, limit: TARGETS_PER_PAGE });
      const params = { path: { deployment_id: deploymentId }, query };
      return unwrap(api.GET("/api/v1/deployments/{deployment_id}/targets", { params, signal }));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: every(LIVE_MS / 2),
  });
}

const at = (deploymentId: string) => ({ params: { path: { deployment_id: deploymentId } } });

export const createDeployment = (body: Schemas["CreateDeploymentRequest"]) =>
  unwrap(api.POST("/api/v1/deployments", { body }));
export const cancelDeployment = (id: string) => unwrap(api.POST("/api/v1/deployments/{deployment_id}/cancel", at(id)));
export const rollBackDeployment = (id: string, targetVersion: string | undefined) =>
  unwrap(
    api.POST("/api/v1/deployments/{deployment_id}/rollback", {
      ...at(id),
      body: targetVersion === undefined ? {} : { target_version: targetVersion },
    }),
  );

/** Whether a deployment can still change by itself. */
export function isActive(status: DeploymentStatus): boolean {
  return status === "pending" || status === "in_progress" || status === "paused";
}
