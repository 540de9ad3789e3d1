import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Rocket, ShieldCheck, Trash2 } from "lucide-react";
import { useState } from "react";
import { can, me } from "@/api/auth";
import {
  type Bundle,
  bundle as bundleQuery,
  bundles,
  deleteBundle,
  manifest as manifestQuery,
  verifyBundle,
} from "@/api/bundles";
import { changesBetween } from "@/lib/changes";
import { cli, curl } from "@/lib/commands";
import { formatBytes } from "@/lib/format";
import { t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { DeviceCount } from "@/parts/device-count";
import { Button, buttonClass } from "@/ui/button";
import { Card, Fact, Facts } from "@/ui/card";
import { Changes } from "@/ui/changes";
import { Confirm } from "@/ui/confirm";
import { CodeBlock, CopyButton } from "@/ui/copy";
import { Failure } from "@/ui/failure";
import { Select } from "@/ui/field";
import { Page, Skeleton } from "@/ui/page";
import { Time } from "@/ui/time";
import { toast, toastFailure } from "@/ui/toast";

export function BundlePage() {
  const { bundleId } = useParams({ from: "/app/bundles/$bundleId" });
  const { data: bundle, error, refetch } = useQuery(bundleQuery(bundleId));
  const manifest = useQuery(manifestQuery(bundleId));
  const { data: user } = useQuery(me);
  const mayAct = can(user, "bundles:write");
  if (bundle === undefined) {
    return (
      <Page title={t("bundles.bundle")}>
        <Card flush>{error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={8} />}</Card>
      </Page>
    );
  }
  return (
    <Page
      title={`${bundle.name} ${bundle.version}`}
      lead={bundle.description ?? undefined}
      actions={mayAct && <BundleActions bundle={bundle} />}
    >
      <div className="grid items-start gap-4 xl:grid-cols-2">
        <Card title={t("bundles.facts")}>
          <BundleFacts bundle={bundle} />
        </Card>
        <Versions bundle={bundle} />
        <Card title={t("bundles.manifest")} className="xl:col-span-2">
          {manifest.data === undefined &&
            (manifest.error ? (
              <Failure error={manifest.error} onRetry={() => void manifest.refetch()} />
            ) : (
              <Skeleton rows={5} height="h-4" />
            ))}
          {manifest.data !== undefined && (
            <CodeBlock code={JSON.stringify(manifest.data, null, 2)} label={t("bundles.manifest")} />
          )}
        </Card>
      </div>
    </Page>
  );
}

function BundleFacts({ bundle }: { bundle: Bundle }) {
  return (
    <Facts>
      <Fact label={t("bundles.runsOn")}>
        <DeviceCount version={bundle.version} />
      </Fact>
      <Fact label={t("bundles.size")}>
        {formatBytes(bundle.size_bytes)} ({bundle.format})
      </Fact>
      <Fact label={t("bundles.uploaded")}>
        <Time at={bundle.created_at} /> {t("history.by", { name: bundle.uploaded_by })}
      </Fact>
      <Fact label={t("bundles.digest")}>
        <span className="flex items-start gap-1">
          <code className="font-mono text-xs break-all">{bundle.checksum_sha256}</code>
          <CopyButton text={bundle.checksum_sha256} label={t("bundles.copyDigest")} />
        </span>
      </Fact>
      <Fact label={t("devices.id")}>
        <span className="flex items-start gap-1">
          <code className="font-mono text-xs break-all">{bundle.bundle_id}</code>
          <CopyButton text={bundle.bundle_id} label={t("bundles.copyId")} />
        </span>
      </Fact>
    </Facts>
  );
}

function BundleActions({ bundle }: { bundle: Bundle }) {
  const [isWithdrawing, setWithdrawing] = useState(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  const id = bundle.bundle_id;
  const verify = useMutation({
    mutationFn: () => verifyBundle(id),
    onSuccess: ({ valid }) =>
      valid ? toast(t("verify.valid")) : toastFailure(t("verify.invalid"), new Error(t("verify.invalidText"))),
    onError: (error) => toastFailure(t("verify.failed"), error),
  });
  return (
    <>
      <Button busy={verify.isPending} onClick={() => verify.mutate()}>
        <ShieldCheck aria-hidden="true" size={15} />
        {t("verify.submit")}
      </Button>
      <Button kind="danger-quiet" onClick={() => setWithdrawing(true)}>
        <Trash2 aria-hidden="true" size={15} />
        {t("withdraw.submit")}
      </Button>
      <Link {...paths.newDeployment({ bundle: id })} className={buttonClass("primary")}>
        <Rocket aria-hidden="true" size={15} />
        {t("bulk.deploy")}
      </Link>
      <Confirm
        open={isWithdrawing}
        onClose={() => setWithdrawing(false)}
        danger
        title={t("withdraw.title", { bundle: `${bundle.name} ${bundle.version}` })}
        extent={<p>{t("withdraw.extent", { size: formatBytes(bundle.size_bytes) })}</p>}
        action={t("withdraw.submit")}
        commands={{ cli: cli("--yes", "bundle", "delete", id), curl: curl("DELETE", `/api/v1/bundles/${id}`) }}
        onConfirm={async () => {
          await deleteBundle(id);
          await navigate(paths.bundles());
          client.removeQueries({ queryKey: ["bundle", id] });
          await client.invalidateQueries();
          toast(t("withdraw.done"));
        }}
      />
    </>
  );
}

/** The other versions of the same name, and what differs from one of them. */
function Versions({ bundle }: { bundle: Bundle }) {
  const { compare } = useSearch({ from: "/app/bundles/$bundleId" });
  const navigate = useNavigate({ from: "/bundles/$bundleId" });
  const { data } = useQuery(bundles({ name: bundle.name }, { limit: 200 }));
  const others = (data?.bundles ?? []).filter(
    (each) => each.name === bundle.name && each.bundle_id !== bundle.bundle_id,
  );
  const mine = useQuery(manifestQuery(bundle.bundle_id));
  const theirs = useQuery({ ...manifestQuery(compare ?? ""), enabled: compare !== undefined });
  const other = others.find((each) => each.bundle_id === compare);
  const changes = changesBetween(comparable(other, theirs.data), comparable(bundle, mine.data));
  return (
    <Card title={t("bundles.versions")}>
      {others.length === 0 ? (
        <p className="text-muted">{t("bundles.onlyVersion")}</p>
      ) : (
        <div className="grid gap-3">
          <ul className="flex flex-wrap gap-1.5">
            {others.slice(0, 20).map((each) => (
              <li key={each.bundle_id}>
                <Link
                  {...paths.bundle(each.bundle_id)}
                  className="inline-block rounded-md border border-line px-2 py-0.5 font-mono text-xs hover:bg-hover"
                >
                  {each.version}
                </Link>
              </li>
            ))}
          </ul>
          <Select
            aria-label={t("bundles.compare")}
            value={compare ?? ""}
            onChange={(event) =>
              void navigate({ search: event.target.value ? { compare: event.target.value } : {}, replace: true })
            }
          >
            <option value="">{t("bundles.compare")}</option>
            {others.map((each) => (
              <option key={each.bundle_id} value={each.bundle_id}>
                {each.version}
              </option>
            ))}
          </Select>
          {other !== undefined && theirs.data !== undefined && mine.data !== undefined && <Changes changes={changes} />}
        </div>
      )}
    </Card>
  );
}

function comparable(bundle: Bundle | undefined, manifest: Record<string, unknown> | undefined): object | undefined {
  if (bundle === undefined || manifest === undefined) return undefined;
  const { version: _, ...rest } = manifest;
  return { size_bytes: bundle.size_bytes, checksum_sha256: bundle.checksum_sha256, manifest: rest };
}
