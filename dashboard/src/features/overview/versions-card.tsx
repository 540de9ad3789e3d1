import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { bundles } from "@/api/bundles";
import { devices } from "@/api/devices";
import { formatNumber, t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { Card } from "@/ui/card";
import { Skeleton } from "@/ui/page";

/** The newest versions are those that move; older ones are in the list of bundles. */
const SHOWN = 8;

/** How many devices run each of the newest versions. */
export function VersionsCard() {
  const { data } = useQuery(bundles({}, { limit: SHOWN }));
  const newest = data?.bundles ?? [];
  const counts = useQueries({
    queries: newest.map((bundle) => ({
      ...devices({ bundle_version: bundle.version }, { limit: 1 }),
      select: (page: { total: number }) => page.total,
    })),
  });
  const most = Math.max(1, ...counts.map((count) => count.data ?? 0));
  return (
    <Card title={t("overview.versions")} flush>
      {data === undefined && <Skeleton rows={4} height="h-7" />}
      {data !== undefined && newest.length === 0 && <p className="p-4 text-muted">{t("overview.noBundles")}</p>}
      <ul className="grid gap-0.5 p-2">
        {newest.map((bundle, index) => {
          const count = counts[index]?.data ?? 0;
          return (
            <li key={bundle.bundle_id}>
              <Link
                {...paths.devices({ version: bundle.version })}
                className="relative flex items-center justify-between gap-3 overflow-hidden rounded-lg px-2.5 py-1.5 hover:bg-hover"
              >
                <span
                  aria-hidden="true"
                  className="absolute inset-y-0 left-0 rounded-lg bg-accent-soft"
                  style={{ width: `${(count / most) * 100}%` }}
                />
                <span className="relative min-w-0 truncate">
                  {bundle.name} <span className="font-mono text-[0.8125rem]">{bundle.version}</span>
                </span>
                <span className="tabular relative font-medium">{formatNumber(count)}</span>
              </Link>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
