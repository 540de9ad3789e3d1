import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus, Ticket } from "lucide-react";
import { useState } from "react";
import { createToken, type RegistrationToken, registrationTokens, revokeToken } from "@/api/tokens";
import { cli, curl, quote } from "@/lib/commands";
import { formatNumber, plural, t } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { CommandLines } from "@/ui/commands";
import { Confirm } from "@/ui/confirm";
import { CodeBlock } from "@/ui/copy";
import { Dialog } from "@/ui/dialog";
import { Empty } from "@/ui/empty";
import { Failure, FailureNote } from "@/ui/failure";
import { Field, Input, Select } from "@/ui/field";
import { Page, Skeleton } from "@/ui/page";
import { BODY, Table, Td, Th } from "@/ui/table";
import { Tags } from "@/ui/tags";
import { Time } from "@/ui/time";
import { toast } from "@/ui/toast";

export function TokensPage() {
  const { data, error, refetch } = useQuery(registrationTokens);
  const [isMaking, setMaking] = useState(false);
  const [ending, setEnding] = useState<RegistrationToken | null>(null);
  const client = useQueryClient();
  const make = (
    <Button kind="primary" onClick={() => setMaking(true)}>
      <Plus aria-hidden="true" size={15} />
      {t("tokens.new")}
    </Button>
  );
  return (
    <Page title={t("tokens.title")} lead={t("tokens.lead")} actions={make}>
      <Card flush>
        {data === undefined &&
          (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={4} />)}
        {data?.registration_tokens.length === 0 && (
          <Empty icon={Ticket} title={t("tokens.none")} text={t("tokens.noneText")} />
        )}
        {data !== undefined && data.registration_tokens.length > 0 && (
          <Table label={t("tokens.title")}>
            <thead>
              <tr>
                <Th>{t("tokens.made")}</Th>
                <Th>{t("tokens.usesLeft")}</Th>
                <Th>{t("tokens.expires")}</Th>
                <Th>{t("devices.tags")}</Th>
                <Th>
                  <span className="sr-only">{t("list.actions")}</span>
                </Th>
              </tr>
            </thead>
            <tbody className={BODY}>
              {data.registration_tokens.map((token) => (
                <tr key={token.id}>
                  <Td className="whitespace-nowrap">
                    <Time at={token.created_at} />{" "}
                    <span className="text-muted">{t("history.by", { name: token.created_by })}</span>
                  </Td>
                  <Td className="tabular">{formatNumber(token.uses_left)}</Td>
                  <Td>
                    <Time at={token.expires_at} />
                  </Td>
                  <Td>
                    <Tags tags={token.tags} />
                  </Td>
                  <Td className="text-right">
                    <Button kind="danger-quiet" size="sm" onClick={() => setEnding(token)}>
                      {t("tokens.end")}
                    </Button>
                  </Td>
                </tr>
              ))}
            </tbody>
          </Table>
        )}
      </Card>
      {isMaking && <NewToken onClose={() => setMaking(false)} />}
      <Confirm
        open={ending !== null}
        onClose={() => setEnding(null)}
        danger
        title={t("tokens.endTitle")}
        extent={<p>{plural("tokens.endExtent", ending?.uses_left ?? 0)}</p>}
        action={t("tokens.end")}
        commands={{
          cli: cli("registration-token", "revoke", ending?.id ?? ""),
          curl: curl("DELETE", `/api/v1/registration-tokens/${ending?.id ?? ""}`),
        }}
        onConfirm={async () => {
          if (ending === null) return;
          await revokeToken(ending.id);
          await client.invalidateQueries({ queryKey: registrationTokens.queryKey });
          toast(t("tokens.ended"));
        }}
      />
    </Page>
  );
}

const TIMES = [3_600, 86_400, 7 * 86_400, 30 * 86_400];

function NewToken({ onClose }: { onClose: () => void }) {
  const [uses, setUses] = useState("10");
  const [ttl, setTtl] = useState("86400");
  const [tags, setTags] = useState("");
  const client = useQueryClient();
  const parsed = parseTags(tags);
  const body = { uses: Number(uses), ttl_secs: Number(ttl), tags: parsed ?? {} };
  const create = useMutation({
    mutationFn: () => createToken(body),
    onSuccess: () => client.invalidateQueries({ queryKey: registrationTokens.queryKey }),
  });
  const made = create.data;
  return (
    <Dialog open onClose={onClose} title={t("tokens.new")} description={made ? t("tokens.onlyNow") : t("tokens.lead")}>
      {made !== undefined ? (
        <div className="grid gap-4">
          <CodeBlock code={made.token} label={t("tokens.token")} />
          <CodeBlock
            code={`KERNEX_REGISTRATION_TOKEN=${quote(made.token)} kernex-agent run --control-plane ${quote(location.origin)}`}
            label={t("first.line")}
          />
          <Button kind="primary" className="justify-self-end" onClick={onClose}>
            {t("action.done")}
          </Button>
        </div>
      ) : (
        <form
          className="grid gap-4"
          onSubmit={(event) => {
            event.preventDefault();
            create.mutate();
          }}
        >
          <div className="grid grid-cols-2 gap-3">
            <Field label={t("tokens.uses")}>
              {(ids) => (
                <Input {...ids} type="number" min={1} required value={uses} onChange={(e) => setUses(e.target.value)} />
              )}
            </Field>
            <Field label={t("tokens.expires")}>
              {(ids) => (
                <Select {...ids} value={ttl} onChange={(event) => setTtl(event.target.value)}>
                  {TIMES.map((seconds) => (
                    <option key={seconds} value={seconds}>
                      {seconds < 86_400 ? t("tokens.hour") : plural("tokens.days", seconds / 86_400)}
                    </option>
                  ))}
                </Select>
              )}
            </Field>
          </div>
          <Field
            label={t("devices.tags")}
            hint={t("tokens.tagsHint")}
            error={parsed === null ? t("tokens.tagsBad") : null}
          >
            {(ids) => (
              <Input
                {...ids}
                autoComplete="off"
                placeholder="site=berlin, rack=4"
                value={tags}
                onChange={(e) => setTags(e.target.value)}
              />
            )}
          </Field>
          <FailureNote error={create.error} title={t("tokens.notMade")} />
          <CommandLines
            cli={cli("registration-token", "create", "--uses", uses)}
            curl={curl("POST", "/api/v1/registration-tokens", body)}
          />
          <div className="flex justify-end gap-2">
            <Button onClick={onClose}>{t("action.cancel")}</Button>
            <Button type="submit" kind="primary" busy={create.isPending} disabled={parsed === null}>
              {t("tokens.make")}
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}

function parseTags(text: string): Record<string, string> | null {
  const pairs = text
    .split(",")
    .map((pair) => pair.trim())
    .filter(Boolean);
  const entries = pairs.map((pair) => pair.split("=").map((part) => part.trim()));
  if (entries.some((entry) => entry.length !== 2 || entry.includes(""))) return null;
  return Object.fromEntries(entries) as Record<string, string>;
}
