import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Plus, Rocket, SearchX } from "lucide-react";
import { can, me } from "@/api/auth";
import { deployments, isActive } from "@/api/deployments";
import { formatNumber, t, word } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { ProgressStrip } from "@/parts/progress-strip";
import { buttonClass } from "@/ui/button";
import { Card } from "@/ui/card";
import { Empty } from "@/ui/empty";
import { Failure } from "@/ui/failure";
import { Select } from "@/ui/field";
import { Page, Skeleton } from "@/ui/page";
import { Pager } from "@/ui/paging";
import { StatusBadge } from "@/ui/status";
import { BODY, Table, Td, Th } from "@/ui/table";
import { Time } from "@/ui/time";

const STATUSES = ["pending", "in_progress", "paused", "success", "failed", "rolled_back", "cancelled"];

export function DeploymentsPage() {
  const { status, cursor, trail } = useSearch({ from: "/app/deployments" });
  const navigate = useNavigate({ from: "/deployments" });
  const { data, error, refetch } = useQuery(deployments({ status }, { cursor }));
  const { data: user } = useQuery(me);
  const create = can(user, "deployments:write") && (
    <Link {...paths.newDeployment()} className={buttonClass("primary")}>
      <Plus aria-hidden="true" size={15} />
      {t("deployments.new")}
    </Link>
  );
  return (
    <Page title={t("deployments.title")} actions={create}>
      <div data-noprint className="mb-3">
        <Select
          aria-label={t("devices.status")}
          value={status ?? ""}
          onChange={(event) =>
            void navigate({ search: event.target.value ? { status: event.target.value } : {}, replace: true })
          }
          className="w-auto"
        >
          <option value="">{t("devices.anyStatus")}</option>
          {STATUSES.map((each) => (
            <option key={each} value={each}>
              {word("status", each)}
            </option>
          ))}
        </Select>
      </div>
      <Card flush>
        {data === undefined &&
          (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={8} />)}
        {data?.deployments.length === 0 &&
          (status === undefined ? (
            <Empty icon={Rocket} title={t("deployments.none")} text={t("deployments.noneText")}>
              {create}
            </Empty>
          ) : (
            <Empty icon={SearchX} title={t("deployments.noMatch")} />
          ))}
        {data !== undefined && data.deployments.length > 0 && (
          <>
            <Table label={t("deployments.title")}>
              <thead>
                <tr>
                  <Th>{t("deployments.deployment")}</Th>
                  <Th>{t("devices.status")}</Th>
                  <Th className="w-1/4">{t("deployments.progress")}</Th>
                  <Th>{t("deployments.started")}</Th>
                </tr>
              </thead>
              <tbody className={BODY}>
                {data.deployments.map((deployment) => (
                  <tr key={deployment.deployment_id}>
                    <Td>
                      <Link
                        {...paths.deployment(deployment.deployment_id)}
                        className="block max-w-96 min-w-44 hover:text-accent"
                      >
                        <span className="font-medium hover:underline">
                          {word("kind", deployment.kind)} {deployment.bundle_name}{" "}
                          <span className="font-mono text-[0.8125rem]">{deployment.bundle_version}</span>
                        </span>
                        {deployment.description && (
                          <span className="block truncate text-xs text-muted">{deployment.description}</span>
                        )}
                      </Link>
                    </Td>
                    <Td>
                      <StatusBadge value={deployment.status} />
                    </Td>
                    <Td className="min-w-40">
                      <div className="grid gap-1">
                        <ProgressStrip progress={deployment.progress} />
                        <span className="tabular text-xs text-muted">
                          {t("deployments.ofTotal", {
                            done: formatNumber(deployment.progress.success),
                            total: formatNumber(deployment.progress.total),
                          })}
                          {isActive(deployment.status) && deployment.progress.in_progress > 0
                            ? ` · ${t("deployments.inProgress", { count: deployment.progress.in_progress })}`
                            : ""}
                        </span>
                      </div>
                    </Td>
                    <Td className="whitespace-nowrap">
                      <Time at={deployment.created_at} />{" "}
                      <span className="text-muted">{t("history.by", { name: deployment.created_by })}</span>
                    </Td>
                  </tr>
                ))}
              </tbody>
            </Table>
            <Pager
              position={{ cursor, trail }}
              total={data.total}
              next={data.next_cursor}
              onMove={(position) =>
                void navigate({
                  search: {
                    ...(status ? { status } : {}),
                    ...(position.cursor ? { cursor: position.cursor } : {}),
                    ...(position.trail ? { trail: position.trail } : {}),
                  },
                })
              }
            />
          </>
        )}
      </Card>
    </Page>
  );
}
