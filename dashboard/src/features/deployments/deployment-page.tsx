import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { Ban, RotateCcw } from "lucide-react";
import { useState } from "react";
import { can, me } from "@/api/auth";
import {
  cancelDeployment,
  type Deployment,
  deployment as deploymentQuery,
  isActive,
  rollBackDeployment,
} from "@/api/deployments";
import { FailureGroups } from "@/features/deployments/failure-groups";
import { TargetList } from "@/features/deployments/target-list";
import { cli, curl } from "@/lib/commands";
import { formatDuration } from "@/lib/format";
import { formatNumber, plural, t, word } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { ProgressStrip } from "@/parts/progress-strip";
import { Button } from "@/ui/button";
import { Card, Fact, Facts } from "@/ui/card";
import { Confirm } from "@/ui/confirm";
import { CopyButton } from "@/ui/copy";
import { Failure } from "@/ui/failure";
import { Page, Skeleton } from "@/ui/page";
import { Dot, StatusBadge, toneOf } from "@/ui/status";
import { Time } from "@/ui/time";
import { toast } from "@/ui/toast";

export function DeploymentPage() {
  const { deploymentId } = useParams({ from: "/app/deployments/$deploymentId" });
  const { data: deployment, error, refetch } = useQuery(deploymentQuery(deploymentId));
  const { data: user } = useQuery(me);
  if (deployment === undefined) {
    return (
      <Page title={t("deployments.deployment")}>
        <Card flush>{error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={8} />}</Card>
      </Page>
    );
  }
  const mayAct = can(user, "deployments:write");
  return (
    <Page
      title={`${word("kind", deployment.kind)} ${deployment.bundle_name} ${deployment.bundle_version}`}
      aside={<StatusBadge value={deployment.status} />}
      {...(deployment.description ? { lead: deployment.description } : {})}
      actions={mayAct && <DeploymentActions deployment={deployment} />}
    >
      <div className="grid gap-4">
        <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
          <ProgressCard deployment={deployment} />
          <Card title={t("deployments.facts")}>
            <DeploymentFacts deployment={deployment} />
          </Card>
        </div>
        <FailureGroups
          deploymentId={deploymentId}
          count={deployment.progress.failed + deployment.progress.rolled_back}
        />
        <TargetList deployment={deployment} />
      </div>
    </Page>
  );
}

const COUNTS = ["success", "in_progress", "pending", "failed", "rolled_back", "cancelled"] as const;

function ProgressCard({ deployment: { progress } }: { deployment: Deployment }) {
  const ended = progress.total - progress.pending - progress.in_progress;
  return (
    <Card title={t("deployments.progress")}>
      <p className="tabular mb-3 flex items-baseline gap-2">
        <span className="text-3xl font-semibold tracking-tight">{formatNumber(ended)}</span>
        <span className="text-muted">{t("deployments.ended", { total: progress.total })}</span>
      </p>
      <ProgressStrip progress={progress} className="h-3" />
      <ul className="mt-4 grid grid-cols-2 gap-x-6 gap-y-2 sm:grid-cols-3">
        {COUNTS.map((key) => (
          <li key={key} className="flex items-center gap-2">
            <Dot tone={toneOf(key)} live={key === "in_progress" && progress.in_progress > 0} />
            <span className="flex-1 truncate text-muted">{word("status", key)}</span>
            <span className="tabular font-medium">{formatNumber(progress[key])}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function DeploymentFacts({ deployment }: { deployment: Deployment }) {
  const took = deployment.completed_at
    ? (new Date(deployment.completed_at).getTime() - new Date(deployment.created_at).getTime()) / 1000
    : null;
  return (
    <Facts>
      <Fact label={t("bundles.bundle")}>
        <Link {...paths.bundle(deployment.bundle_id)} className="hover:text-accent hover:underline">
          {deployment.bundle_name} <span className="font-mono text-[0.8125rem]">{deployment.bundle_version}</span>
        </Link>
      </Fact>
      <Fact label={t("deployments.started")}>
        <Time at={deployment.created_at} /> {t("history.by", { name: deployment.created_by })}
      </Fact>
      <Fact label={t("deployments.completed")}>
        <Time at={deployment.completed_at} never={t("deployments.running")} />
        {took !== null && <span className="text-muted"> ({formatDuration(took)})</span>}
      </Fact>
      {deployment.error_message && <Fact label={t("deployments.reason")}>{deployment.error_message}</Fact>}
      <Fact label={t("devices.id")}>
        <span className="flex items-start gap-1">
          <code className="font-mono text-xs break-all">{deployment.deployment_id}</code>
          <CopyButton text={deployment.deployment_id} label={t("deployments.copyId")} />
        </span>
      </Fact>
    </Facts>
  );
}

function DeploymentActions({ deployment }: { deployment: Deployment }) {
  const [open, setOpen] = useState<"cancel" | "rollback" | null>(null);
  const client = useQueryClient();
  const navigate = useNavigate();
  const id = deployment.deployment_id;
  const { progress } = deployment;
  const close = () => setOpen(null);
  return (
    <>
      {isActive(deployment.status) && (
        <Button onClick={() => setOpen("cancel")}>
          <Ban aria-hidden="true" size={15} />
          {t("cancel.submit")}
        </Button>
      )}
      {progress.success > 0 && (
        <Button onClick={() => setOpen("rollback")}>
          <RotateCcw aria-hidden="true" size={15} />
          {t("rollback.submit")}
        </Button>
      )}
      <Confirm
        open={open === "cancel"}
        onClose={close}
        danger
        title={t("cancel.title")}
        extent={
          <ul className="grid list-disc gap-1 pl-4">
            <li>{plural("cancel.waiting", progress.pending)}</li>
            <li>{plural("cancel.working", progress.in_progress)}</li>
            <li>{plural("cancel.done", progress.success)}</li>
          </ul>
        }
        action={t("cancel.submit")}
        commands={{ curl: curl("POST", `/api/v1/deployments/${id}/cancel`) }}
        onConfirm={async () => {
          await cancelDeployment(id);
          await client.invalidateQueries();
          toast(t("cancel.cancelled"));
        }}
      />
      <Confirm
        open={open === "rollback"}
        onClose={close}
        danger
        title={t("rollback.deploymentTitle", { bundle: `${deployment.bundle_name} ${deployment.bundle_version}` })}
        extent={
          <>
            <p>{plural("rollback.deploymentExtent", progress.success)}</p>
            <p className="text-muted">{t("rollback.keeps")}</p>
          </>
        }
        action={t("rollback.submit")}
        commands={{
          cli: cli("--yes", "deployment", "rollback", id),
          curl: curl("POST", `/api/v1/deployments/${id}/rollback`, {}),
        }}
        onConfirm={async () => {
          const created = await rollBackDeployment(id, undefined);
          await client.invalidateQueries();
          const [only, ...others] = created.deployments;
          await navigate(
            only !== undefined && others.length === 0 ? paths.deployment(only.deployment_id) : paths.deployments(),
          );
        }}
      />
    </>
  );
}
