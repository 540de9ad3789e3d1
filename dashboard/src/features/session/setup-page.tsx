import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { createFirstAdmin, login, me } from "@/api/auth";
import { SessionFrame } from "@/features/session/session-frame";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { FailureNote } from "@/ui/failure";
import { Field, Input } from "@/ui/field";

const LEAST_PASSWORD = 12;

/** Behind the one-time link. Its secret stands after `#`: browsers do not send it, so no log ever holds it. */
export function SetupPage() {
  const [secret] = useState(() => location.hash.slice(1));
  const [username, setUsername] = useState("admin");
  const [password, setPassword] = useState("");
  const client = useQueryClient();
  const navigate = useNavigate();
  const create = useMutation({
    mutationFn: async () => {
      await createFirstAdmin(username, password, secret);
      client.setQueryData(me.queryKey, await login(username, password));
    },
    onSuccess: () => navigate({ to: "/", replace: true }),
  });
  if (secret === "") {
    return (
      <SessionFrame title={t("setup.noLink")} lead={t("setup.noLinkText")}>
        <Button kind="secondary" onClick={() => navigate({ to: "/login" })}>
          {t("login.submit")}
        </Button>
      </SessionFrame>
    );
  }
  const isTooShort = password.length > 0 && password.length < LEAST_PASSWORD;
  return (
    <SessionFrame title={t("setup.title")} lead={t("setup.lead")}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <Field label={t("login.username")}>
          {(ids) => (
            <Input
              {...ids}
              required
              maxLength={64}
              autoComplete="username"
              autoCapitalize="none"
              value={username}
              onChange={(event) => setUsername(event.target.value)}
            />
          )}
        </Field>
        <Field label={t("login.password")} hint={t("setup.passwordHint", { count: LEAST_PASSWORD })}>
          {({ "aria-invalid": _, ...ids }) => (
            <Input
              {...ids}
              type="password"
              required
              minLength={LEAST_PASSWORD}
              autoComplete="new-password"
              aria-invalid={isTooShort || undefined}
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
          )}
        </Field>
        <FailureNote error={create.error} title={t("setup.failed")} />
        <Button type="submit" kind="primary" busy={create.isPending} disabled={password.length < LEAST_PASSWORD}>
          {t("setup.submit")}
        </Button>
      </form>
    </SessionFrame>
  );
}
