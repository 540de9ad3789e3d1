import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Boxes, SearchX, Upload } from "lucide-react";
import { lazy, Suspense } from "react";
import { can, me } from "@/api/auth";
import { bundles } from "@/api/bundles";
import { formatBytes, shortId } from "@/lib/format";
import { t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { DeviceCount } from "@/parts/device-count";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Empty } from "@/ui/empty";
import { Failure } from "@/ui/failure";
import { Page, Skeleton } from "@/ui/page";
import { Pager } from "@/ui/paging";
import { BODY, Table, Td, Th } from "@/ui/table";
import { Time } from "@/ui/time";

const UploadDialog = lazy(() =>
  import("@/features/bundles/upload-dialog").then((module) => ({ default: module.UploadDialog })),
);

export function BundlesPage() {
  const { name, cursor, trail, upload = false } = useSearch({ from: "/app/bundles" });
  const navigate = useNavigate({ from: "/bundles" });
  const { data, error, refetch } = useQuery(bundles({ name }, { cursor }));
  const { data: user } = useQuery(me);
  const mayUpload = can(user, "bundles:write");
  const uploadButton = (
    <Button kind="primary" onClick={() => void navigate({ search: (old) => ({ ...old, upload: true }) })}>
      <Upload aria-hidden="true" size={15} />
      {t("bundles.upload")}
    </Button>
  );
  return (
    <Page title={t("bundles.title")} lead={t("bundles.lead")} actions={mayUpload && uploadButton}>
      {name !== undefined && (
        <p className="mb-3 flex items-center gap-2 text-muted">
          {t("bundles.onlyName", { name })}
          <Button size="sm" onClick={() => void navigate({ search: {} })}>
            {t("devices.clearFilter")}
          </Button>
        </p>
      )}
      <Card flush>
        {data === undefined &&
          (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={8} />)}
        {data?.bundles.length === 0 &&
          (name === undefined ? (
            <Empty icon={Boxes} title={t("bundles.none")} text={t("bundles.noneText")}>
              {mayUpload && uploadButton}
            </Empty>
          ) : (
            <Empty icon={SearchX} title={t("devices.noMatch")} />
          ))}
        {data !== undefined && data.bundles.length > 0 && (
          <>
            <Table label={t("bundles.title")}>
              <thead>
                <tr>
                  <Th>{t("bundles.bundle")}</Th>
                  <Th>{t("bundles.runsOn")}</Th>
                  <Th>{t("bundles.size")}</Th>
                  <Th>{t("bundles.uploaded")}</Th>
                  <Th>{t("bundles.digest")}</Th>
                </tr>
              </thead>
              <tbody className={BODY}>
                {data.bundles.map((bundle) => (
                  <tr key={bundle.bundle_id}>
                    <Td>
                      <Link {...paths.bundle(bundle.bundle_id)} className="block max-w-96 min-w-40 hover:text-accent">
                        <span className="font-medium hover:underline">
                          {bundle.name} <span className="font-mono text-[0.8125rem]">{bundle.version}</span>
                        </span>
                        {bundle.description && (
                          <span className="block truncate text-xs text-muted">{bundle.description}</span>
                        )}
                      </Link>
                    </Td>
                    <Td>
                      <DeviceCount version={bundle.version} />
                    </Td>
                    <Td className="tabular whitespace-nowrap">{formatBytes(bundle.size_bytes)}</Td>
                    <Td className="whitespace-nowrap">
                      <Time at={bundle.created_at} />{" "}
                      <span className="text-muted">{t("history.by", { name: bundle.uploaded_by })}</span>
                    </Td>
                    <Td>
                      <code title={bundle.checksum_sha256} className="font-mono text-xs text-muted">
                        {shortId(bundle.checksum_sha256)}
                      </code>
                    </Td>
                  </tr>
                ))}
              </tbody>
            </Table>
            <Pager
              position={{ cursor, trail }}
              total={data.total}
              next={data.next_cursor}
              onMove={(position) => void navigate({ search: { ...(name ? { name } : {}), ...present(position) } })}
            />
          </>
        )}
      </Card>
      {upload && mayUpload && (
        <Suspense>
          <UploadDialog onClose={() => void navigate({ search: ({ upload: _, ...old }) => old, replace: true })} />
        </Suspense>
      )}
    </Page>
  );
}

function present(position: { cursor?: string | undefined; trail?: string | undefined }) {
  return {
    ...(position.cursor === undefined ? {} : { cursor: position.cursor }),
    ...(position.trail === undefined ? {} : { trail: position.trail }),
  };
}
