import { useQuery } from "@tanstack/react-query";
import { health, stats } from "@/api/system";
import { formatNumber, t, word } from "@/lib/i18n";
import { Card, Fact, Facts } from "@/ui/card";
import { CodeBlock } from "@/ui/copy";
import { Failure } from "@/ui/failure";
import { Page, Skeleton } from "@/ui/page";
import { Status, StatusBadge } from "@/ui/status";

/** How the control plane itself is. */
export function SystemPage() {
  const { data, error, refetch } = useQuery(health);
  const { data: figures } = useQuery(stats);
  return (
    <Page title={t("system.title")} lead={t("system.lead")} aside={data && <StatusBadge value={data.status} />}>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Card title={t("system.parts")} flush>
          {data === undefined &&
            (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={3} />)}
          <ul className="divide-y divide-line">
            {Object.entries(data?.checks ?? {}).map(([name, check]) => (
              <li key={name} className="flex items-start justify-between gap-4 px-4 py-3">
                <span>
                  <span className="font-medium">{word("system", name)}</span>
                  {check.detail && (
                    <span className="block text-[0.8125rem] break-words text-muted">{check.detail}</span>
                  )}
                </span>
                <Status value={check.status} />
              </li>
            ))}
          </ul>
        </Card>
        <Card title={t("system.about")}>
          <Facts>
            <Fact label={t("system.version")}>{data?.version ?? "…"}</Fact>
            <Fact label={t("overview.heartbeats")}>
              {figures === undefined ? "…" : formatNumber(figures.heartbeats_per_second, { maximumFractionDigits: 2 })}
            </Fact>
            <Fact label={t("system.api")}>
              <a href="/docs/" className="text-accent underline">
                {t("system.apiDocs")}
              </a>
            </Fact>
          </Facts>
          <div className="mt-4">
            <CodeBlock code={`kernex login ${location.origin}`} label={t("commands.cli")} />
          </div>
        </Card>
      </div>
    </Page>
  );
}
