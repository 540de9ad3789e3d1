import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { login, me } from "@/api/auth";
import { SessionFrame } from "@/features/session/session-frame";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { FailureNote } from "@/ui/failure";
import { Field, Input } from "@/ui/field";

export function LoginPage() {
  const { next } = useSearch({ from: "/login" });
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const client = useQueryClient();
  const navigate = useNavigate();
  const enter = useMutation({
    mutationFn: () => login(username, password),
    onSuccess: async (user) => {
      client.clear();
      client.setQueryData(me.queryKey, user);
      await navigate({ to: localAddress(next), replace: true });
    },
  });
  return (
    <SessionFrame title={t("login.title")} lead={next === undefined ? t("login.lead") : t("login.again")}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          enter.mutate();
        }}
      >
        <Field label={t("login.username")}>
          {(ids) => (
            <Input
              {...ids}
              autoFocus
              required
              autoComplete="username"
              autoCapitalize="none"
              value={username}
              onChange={(event) => setUsername(event.target.value)}
            />
          )}
        </Field>
        <Field label={t("login.password")}>
          {(ids) => (
            <Input
              {...ids}
              type="password"
              required
              autoComplete="current-password"
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
          )}
        </Field>
        <FailureNote error={enter.error} title={t("login.failed")} />
        <Button type="submit" kind="primary" busy={enter.isPending}>
          {t("login.submit")}
        </Button>
      </form>
    </SessionFrame>
  );
}

/** Where to go after the login: an address of this dashboard, whatever the link said. */
export function localAddress(next: string | undefined): string {
  return next?.startsWith("/") && !next.startsWith("//") && !next.includes("\\") ? next : "/";
}
