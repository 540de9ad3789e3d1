import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Boxes } from "lucide-react";
import { useState } from "react";
import { bundles } from "@/api/bundles";
import { formatBytes } from "@/lib/format";
import { t } from "@/lib/i18n";
import { buttonClass } from "@/ui/button";
import { Card } from "@/ui/card";
import { cx } from "@/ui/classes";
import { Empty } from "@/ui/empty";
import { Failure } from "@/ui/failure";
import { Input } from "@/ui/field";
import { Skeleton } from "@/ui/page";
import { Time } from "@/ui/time";

export function BundleChoice({ chosen, onChoose }: { chosen: string | undefined; onChoose: (id: string) => void }) {
  const [text, setText] = useState("");
  const { data, error, refetch } = useQuery(bundles({}, { limit: 200 }));
  const shown = (data?.bundles ?? []).filter((bundle) =>
    `${bundle.name} ${bundle.version}`.includes(text.trim().toLowerCase()),
  );
  return (
    <Card title={t("new.bundleTitle")} flush>
      {data === undefined && (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton />)}
      {data?.bundles.length === 0 && (
        <Empty icon={Boxes} title={t("bundles.none")} text={t("bundles.noneText")}>
          <Link to="/bundles" search={{ upload: true }} className={buttonClass("primary")}>
            {t("bundles.upload")}
          </Link>
        </Empty>
      )}
      {data !== undefined && data.bundles.length > 0 && (
        <>
          <div className="border-b border-line p-3">
            <Input
              type="search"
              aria-label={t("new.findBundle")}
              placeholder={t("new.findBundle")}
              value={text}
              onChange={(e) => setText(e.target.value)}
            />
          </div>
          <ul className="max-h-[55vh] divide-y divide-line overflow-y-auto">
            {shown.map((bundle) => (
              <li key={bundle.bundle_id}>
                <button
                  type="button"
                  onClick={() => onChoose(bundle.bundle_id)}
                  className={cx(
                    "flex w-full flex-wrap items-center justify-between gap-x-4 gap-y-1 px-4 py-2.5 text-left hover:bg-hover focus-visible:-outline-offset-2",
                    bundle.bundle_id === chosen && "bg-accent-soft",
                  )}
                >
                  <span className="min-w-0">
                    <span className="font-medium">
                      {bundle.name} <span className="font-mono text-[0.8125rem]">{bundle.version}</span>
                    </span>
                    {bundle.description && (
                      <span className="block truncate text-xs text-muted">{bundle.description}</span>
                    )}
                  </span>
                  <span className="text-xs text-muted">
                    {formatBytes(bundle.size_bytes)} · <Time at={bundle.created_at} />
                  </span>
                </button>
              </li>
            ))}
          </ul>
          {shown.length === 0 && <p className="p-4 text-muted">{t("devices.noMatch")}</p>}
        </>
      )}
    </Card>
  );
}
