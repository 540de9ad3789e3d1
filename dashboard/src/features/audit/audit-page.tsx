import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Download, ScrollText } from "lucide-react";
import { useState } from "react";
import { type AuditRecord, audit, auditExport, checkpoints } from "@/api/audit";
import { cli } from "@/lib/commands";
import { formatNumber, t, word } from "@/lib/i18n";
import { buttonClass } from "@/ui/button";
import { Card, Fact, Facts } from "@/ui/card";
import { CodeBlock } from "@/ui/copy";
import { Dialog } from "@/ui/dialog";
import { Empty } from "@/ui/empty";
import { Failure } from "@/ui/failure";
import { Select } from "@/ui/field";
import { Page, Skeleton } from "@/ui/page";
import { Pager } from "@/ui/paging";
import { Badge, type Tone } from "@/ui/status";
import { BODY, Table, Td, Th } from "@/ui/table";
import { Time } from "@/ui/time";
import { TypedFilter } from "@/ui/typed-filter";

const RESULTS = ["success", "denied", "failed"];
const TONES: Record<string, Tone> = { success: "ok", denied: "warn", failed: "bad" };

/** Who did what, when, from where, and with what result. */
export function AuditPage() {
  const { cursor, trail, ...filter } = useSearch({ from: "/app/audit" });
  const navigate = useNavigate({ from: "/audit" });
  const { data, error, refetch } = useQuery(audit(filter, { cursor }));
  const [opened, setOpened] = useState<AuditRecord | null>(null);
  const set = (change: Partial<typeof filter>) =>
    void navigate({ search: () => present({ ...filter, ...change }), replace: true });
  return (
    <Page
      title={t("audit.title")}
      lead={t("audit.lead")}
      actions={(["csv", "jsonl"] as const).map((format) => (
        <a key={format} href={auditExport(filter, format)} download={`audit.${format}`} className={buttonClass()}>
          <Download aria-hidden="true" size={15} />
          {format.toUpperCase()}
        </a>
      ))}
    >
      <Chain />
      <search data-noprint data-keep-focus className="mb-3 flex flex-wrap gap-2">
        <TypedFilter
          name="actor"
          label={t("audit.actor")}
          placeholder={t("audit.actorHint")}
          value={filter.actor}
          onChange={(actor) => set({ actor })}
          className="min-w-40 flex-1 sm:max-w-64"
        />
        <TypedFilter
          name="action"
          label={t("audit.action")}
          placeholder="device.*"
          value={filter.action}
          onChange={(action) => set({ action })}
          className="min-w-40 flex-1 sm:max-w-64"
        />
        <Select
          aria-label={t("audit.result")}
          value={filter.result ?? ""}
          onChange={(event) => set({ result: event.target.value || undefined })}
          className="w-auto"
        >
          <option value="">{t("audit.anyResult")}</option>
          {RESULTS.map((result) => (
            <option key={result} value={result}>
              {word("audit", result)}
            </option>
          ))}
        </Select>
      </search>
      <Card flush>
        {data === undefined &&
          (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={10} />)}
        {data?.records.length === 0 && <Empty icon={ScrollText} title={t("audit.none")} />}
        {data !== undefined && data.records.length > 0 && (
          <>
            <Table label={t("audit.title")}>
              <thead>
                <tr>
                  <Th>{t("audit.when")}</Th>
                  <Th>{t("audit.actor")}</Th>
                  <Th>{t("audit.action")}</Th>
                  <Th>{t("audit.object")}</Th>
                  <Th>{t("audit.from")}</Th>
                  <Th>{t("audit.result")}</Th>
                </tr>
              </thead>
              <tbody className={BODY}>
                {data.records.map((record) => (
                  <tr key={record.sequence}>
                    <Td>
                      <Time at={record.recorded_at} />
                    </Td>
                    <Td>
                      <span className="block max-w-48 truncate">{actorName(record)}</span>
                    </Td>
                    <Td>
                      <button
                        type="button"
                        onClick={() => setOpened(record)}
                        className="rounded font-medium hover:text-accent hover:underline"
                      >
                        {record.action}
                      </button>
                    </Td>
                    <Td>
                      <code
                        className="block max-w-72 truncate font-mono text-xs text-muted"
                        title={record.object.id ?? ""}
                      >
                        {record.object.kind} {record.object.id}
                      </code>
                    </Td>
                    <Td className="text-muted">{record.address ?? "–"}</Td>
                    <Td>
                      <Badge tone={TONES[record.result] ?? "off"}>{word("audit", record.result)}</Badge>
                    </Td>
                  </tr>
                ))}
              </tbody>
            </Table>
            <Pager
              position={{ cursor, trail }}
              total={undefined}
              next={data.next_cursor}
              onMove={(position) => void navigate({ search: present({ ...filter, ...position }) })}
            />
          </>
        )}
      </Card>
      <Dialog open={opened !== null} onClose={() => setOpened(null)} title={opened?.action ?? ""} wide>
        {opened !== null && <RecordDetail record={opened} />}
      </Dialog>
    </Page>
  );
}

function actorName(record: AuditRecord): string {
  return record.actor.name ?? record.actor.id ?? word("audit", record.actor.kind);
}

/** The chain's end, and how to check it without trusting this page. */
function Chain() {
  const { data } = useQuery(checkpoints);
  if (data === undefined) return null;
  const last = data.checkpoints.at(-1);
  return (
    <details className="mb-3 rounded-xl border border-line bg-surface px-4 py-2.5 text-[0.8125rem]">
      <summary className="rounded text-muted">
        {t("audit.chain", { count: formatNumber(data.end.sequence) })}
        {last !== undefined && ` ${t("audit.signed", { count: formatNumber(last.sequence) })}`}
      </summary>
      <div className="mt-3 grid gap-3">
        <p className="text-muted">{t("audit.chainText")}</p>
        <CodeBlock code={data.end.hash} label={t("audit.hash")} />
        <CodeBlock code={cli("audit", "verify")} label={t("commands.cli")} />
      </div>
    </details>
  );
}

function RecordDetail({ record }: { record: AuditRecord }) {
  return (
    <div className="grid gap-4">
      <Facts>
        <Fact label={t("audit.when")}>
          {record.recorded_at} (#{record.sequence})
        </Fact>
        <Fact label={t("audit.actor")}>
          {actorName(record)} <span className="text-muted">{record.actor.credential}</span>
        </Fact>
        <Fact label={t("audit.object")}>
          {record.object.kind} <code className="font-mono text-xs">{record.object.id}</code>
        </Fact>
        <Fact label={t("audit.from")}>{record.address ?? "–"}</Fact>
        <Fact label={t("error.requestId")}>
          <code className="font-mono text-xs">{record.request_id ?? "–"}</code>
        </Fact>
        <Fact label={t("audit.result")}>
          {word("audit", record.result)} {record.status ?? ""} {record.reason}
        </Fact>
      </Facts>
      {record.before != null && <CodeBlock code={JSON.stringify(record.before, null, 2)} label={t("audit.before")} />}
      {record.after != null && <CodeBlock code={JSON.stringify(record.after, null, 2)} label={t("audit.after")} />}
      <CodeBlock code={record.hash} label={t("audit.hash")} />
    </div>
  );
}

function present<T extends object>(search: T): T {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as T;
}
