import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Group as GroupIcon, Plus } from "lucide-react";
import { useState } from "react";
import { can, me } from "@/api/auth";
import { devices } from "@/api/devices";
import { createGroup, deleteGroup, type Group, groups, updateGroup } from "@/api/groups";
import { cli, curl } from "@/lib/commands";
import { plural, t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { SelectorInput } from "@/parts/selector-input";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { CommandLines } from "@/ui/commands";
import { Confirm } from "@/ui/confirm";
import { Dialog } from "@/ui/dialog";
import { Empty } from "@/ui/empty";
import { Failure, FailureNote } from "@/ui/failure";
import { Field, Input } from "@/ui/field";
import { Page, Skeleton } from "@/ui/page";
import { Badge } from "@/ui/status";
import { BODY, Table, Td, Th } from "@/ui/table";
import { Time } from "@/ui/time";
import { toast } from "@/ui/toast";

/** Named selectors and named lists of devices. */
export function GroupsPage() {
  const { data, error, refetch } = useQuery(groups);
  const { data: user } = useQuery(me);
  const [edited, setEdited] = useState<Group | "new" | null>(null);
  const [removed, setRemoved] = useState<Group | null>(null);
  const client = useQueryClient();
  const mayEdit = can(user, "groups:write");
  const create = mayEdit && (
    <Button kind="primary" onClick={() => setEdited("new")}>
      <Plus aria-hidden="true" size={15} />
      {t("groups.new")}
    </Button>
  );
  return (
    <Page title={t("groups.title")} lead={t("groups.lead")} actions={create}>
      <Card flush>
        {data === undefined &&
          (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={5} />)}
        {data?.groups.length === 0 && (
          <Empty icon={GroupIcon} title={t("groups.none")} text={t("groups.noneText")}>
            {create}
          </Empty>
        )}
        {data !== undefined && data.groups.length > 0 && (
          <Table label={t("groups.title")}>
            <thead>
              <tr>
                <Th>{t("groups.group")}</Th>
                <Th>{t("groups.members")}</Th>
                <Th>{t("devices.title")}</Th>
                <Th>{t("tokens.made")}</Th>
                <Th>
                  <span className="sr-only">{t("list.actions")}</span>
                </Th>
              </tr>
            </thead>
            <tbody className={BODY}>
              {data.groups.map((group) => (
                <tr key={group.id}>
                  <Td>
                    <Link
                      {...paths.devices({ q: groupSelector(group) })}
                      className="font-medium hover:text-accent hover:underline"
                    >
                      {group.name}
                    </Link>{" "}
                    {group.channel && <Badge tone="accent">{group.channel}</Badge>}
                    {group.description && (
                      <span className="block truncate text-xs text-muted">{group.description}</span>
                    )}
                  </Td>
                  <Td>
                    {group.selector ? (
                      <code className="block max-w-96 truncate font-mono text-xs" title={group.selector}>
                        {group.selector}
                      </code>
                    ) : (
                      <span className="text-muted">{t("groups.list")}</span>
                    )}
                  </Td>
                  <Td>
                    <Count selector={groupSelector(group)} />
                  </Td>
                  <Td className="whitespace-nowrap">
                    <Time at={group.created_at} />{" "}
                    <span className="text-muted">{t("history.by", { name: group.created_by })}</span>
                  </Td>
                  <Td className="text-right whitespace-nowrap">
                    {mayEdit && (
                      <>
                        <Button size="sm" kind="ghost" onClick={() => setEdited(group)}>
                          {t("groups.edit")}
                        </Button>
                        <Button size="sm" kind="danger-ghost" onClick={() => setRemoved(group)}>
                          {t("groups.delete")}
                        </Button>
                      </>
                    )}
                  </Td>
                </tr>
              ))}
            </tbody>
          </Table>
        )}
      </Card>
      {edited !== null && <GroupDialog group={edited === "new" ? null : edited} onClose={() => setEdited(null)} />}
      <Confirm
        open={removed !== null}
        onClose={() => setRemoved(null)}
        danger
        title={t("groups.deleteTitle", { name: removed?.name ?? "" })}
        extent={<p>{t("groups.deleteExtent")}</p>}
        action={t("groups.delete")}
        commands={{
          cli: cli("--yes", "group", "delete", removed?.name ?? ""),
          curl: curl("DELETE", `/api/v1/groups/${removed?.id ?? ""}`),
        }}
        onConfirm={async () => {
          if (removed === null) return;
          await deleteGroup(removed.id);
          await client.invalidateQueries({ queryKey: groups.queryKey });
          toast(t("groups.deleted"));
        }}
      />
    </Page>
  );
}

function groupSelector(group: Group): string {
  return `group=${group.name}`;
}

function Count({ selector }: { selector: string }) {
  const { data } = useQuery(devices({ q: selector }, { limit: 1 }));
  return <span className="tabular">{data === undefined ? "…" : plural("devices.count", data.total)}</span>;
}

function GroupDialog({ group, onClose }: { group: Group | null; onClose: () => void }) {
  const [name, setName] = useState(group?.name ?? "");
  const [description, setDescription] = useState(group?.description ?? "");
  const [selector, setSelector] = useState(group?.selector ?? "");
  const client = useQueryClient();
  const isList = group !== null && !group.selector;
  const body = { name: name.trim(), description: description.trim(), ...(isList ? {} : { selector: selector.trim() }) };
  const save = useMutation({
    mutationFn: () => (group === null ? createGroup(body) : updateGroup(group.id, body)),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: groups.queryKey });
      toast(t("groups.saved"));
      onClose();
    },
  });
  return (
    <Dialog open onClose={onClose} title={group === null ? t("groups.new") : group.name} description={t("groups.lead")}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Field label={t("groups.name")}>
          {(ids) => (
            <Input
              {...ids}
              required
              maxLength={64}
              autoComplete="off"
              value={name}
              onChange={(e) => setName(e.target.value)}
            />
          )}
        </Field>
        <Field label={t("bundles.description")}>
          {(ids) => (
            <Input {...ids} maxLength={500} value={description} onChange={(e) => setDescription(e.target.value)} />
          )}
        </Field>
        {!isList && (
          <div className="grid gap-1.5">
            <span className="text-[0.8125rem] font-medium">{t("groups.selector")}</span>
            <SelectorInput
              label={t("groups.selector")}
              value={selector || undefined}
              onChange={(next) => setSelector(next ?? "")}
            />
            <p className="text-xs text-muted">
              {selector === "" ? t("groups.selectorHint") : <Preview selector={selector} />}
            </p>
          </div>
        )}
        <FailureNote error={save.error} title={t("groups.notSaved")} />
        <CommandLines
          curl={
            group === null ? curl("POST", "/api/v1/groups", body) : curl("PATCH", `/api/v1/groups/${group.id}`, body)
          }
        />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("action.cancel")}</Button>
          <Button type="submit" kind="primary" busy={save.isPending} disabled={!isList && selector === ""}>
            {t("groups.save")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Preview({ selector }: { selector: string }) {
  const { data, error } = useQuery(devices({ q: selector }, { limit: 1 }));
  if (error) return <span className="text-bad">{error.message}</span>;
  return data === undefined ? "…" : plural("groups.matches", data.total);
}
