import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { endSession, endSessions, me, type Session, sessions } from "@/api/auth";
import { curl } from "@/lib/commands";
import { t, word } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { Card, Fact, Facts } from "@/ui/card";
import { Confirm } from "@/ui/confirm";
import { Failure } from "@/ui/failure";
import { Page, Skeleton } from "@/ui/page";
import { Badge } from "@/ui/status";
import { BODY, Table, Td, Th } from "@/ui/table";
import { Time } from "@/ui/time";
import { toast } from "@/ui/toast";

/** Who is logged in, where, and what they may do. */
export function AccountPage() {
  const { data: user } = useQuery(me);
  const { data, error, refetch } = useQuery(sessions);
  const [ending, setEnding] = useState<Session | "others" | null>(null);
  const client = useQueryClient();
  const path = ending === "others" || ending === null ? "/api/v1/auth/sessions" : `/api/v1/auth/sessions/${ending.id}`;
  return (
    <Page title={t("account.title")}>
      <div className="grid gap-4">
        <Card title={user?.username ?? "…"}>
          <Facts>
            <Fact label={t("account.role")}>{user && word("role", user.role)}</Fact>
            {user?.email && <Fact label={t("account.email")}>{user.email}</Fact>}
            {user?.device_selector && (
              <Fact label={t("account.devices")}>
                <code className="font-mono text-xs">{user.device_selector}</code>
              </Fact>
            )}
            <Fact label={t("account.rights")}>
              <span className="flex flex-wrap gap-1">
                {user?.permissions.map((permission) => (
                  <Badge key={permission}>{permission}</Badge>
                ))}
              </span>
            </Fact>
          </Facts>
        </Card>
        <Card
          flush
          title={t("account.sessions")}
          actions={
            <Button size="sm" onClick={() => setEnding("others")}>
              {t("account.endAll")}
            </Button>
          }
        >
          {data === undefined &&
            (error ? <Failure error={error} onRetry={() => void refetch()} /> : <Skeleton rows={3} />)}
          {data !== undefined && (
            <Table label={t("account.sessions")}>
              <thead>
                <tr>
                  <Th>{t("account.kind")}</Th>
                  <Th>{t("account.from")}</Th>
                  <Th>{t("account.began")}</Th>
                  <Th>{t("account.used")}</Th>
                  <Th>
                    <span className="sr-only">{t("list.actions")}</span>
                  </Th>
                </tr>
              </thead>
              <tbody className={BODY}>
                {data.sessions.map((session) => (
                  <tr key={session.id}>
                    <Td className="whitespace-nowrap">
                      {word("session", session.kind)} {session.current && <Badge tone="ok">{t("account.this")}</Badge>}
                    </Td>
                    <Td>
                      <span className="block">{session.address ?? "–"}</span>
                      <span className="block max-w-96 truncate text-xs text-muted" title={session.user_agent ?? ""}>
                        {session.user_agent}
                      </span>
                    </Td>
                    <Td>
                      <Time at={session.created_at} />
                    </Td>
                    <Td>
                      <Time at={session.last_used_at} />
                    </Td>
                    <Td className="text-right">
                      {!session.current && (
                        <Button kind="danger-quiet" size="sm" onClick={() => setEnding(session)}>
                          {t("account.end")}
                        </Button>
                      )}
                    </Td>
                  </tr>
                ))}
              </tbody>
            </Table>
          )}
        </Card>
      </div>
      <Confirm
        open={ending !== null}
        onClose={() => setEnding(null)}
        danger
        title={t(ending === "others" ? "account.endAll" : "account.endTitle")}
        extent={<p>{t(ending === "others" ? "account.endAllExtent" : "account.endExtent")}</p>}
        action={t("account.end")}
        commands={{ curl: curl("DELETE", path) }}
        onConfirm={async () => {
          if (ending === "others") await endSessions();
          else if (ending !== null) await endSession(ending.id);
          await client.invalidateQueries({ queryKey: sessions.queryKey });
          toast(t("account.ended"));
        }}
      />
    </Page>
  );
}
