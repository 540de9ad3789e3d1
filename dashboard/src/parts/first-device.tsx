import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { createToken } from "@/api/tokens";
import { quote } from "@/lib/commands";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { CodeBlock } from "@/ui/copy";
import { FailureNote } from "@/ui/failure";
import { Dot } from "@/ui/status";

const HOUR_SECS = 3600;

/** The line that brings a device in, with a token that is made for it when somebody asks. */
export function FirstDevice() {
  const [token, setToken] = useState<string | null>(null);
  const create = useMutation({
    mutationFn: () => createToken({ uses: 10, ttl_secs: HOUR_SECS, tags: {} }),
    onSuccess: (created) => setToken(created.token),
  });
  if (token === null) {
    return (
      <div className="grid justify-items-start gap-3">
        <p className="text-muted">{t("first.deviceText")}</p>
        <Button kind="primary" busy={create.isPending} onClick={() => create.mutate()}>
          {t("first.makeLine")}
        </Button>
        <FailureNote error={create.error} title={t("tokens.notMade")} />
      </div>
    );
  }
  const code = `KERNEX_REGISTRATION_TOKEN=${quote(token)} kernex-agent run --control-plane ${quote(location.origin)}`;
  return (
    <div className="grid gap-3">
      <p className="text-muted">{t("first.runLine")}</p>
      <CodeBlock code={code} label={t("first.line")} />
      <p role="status" className="flex items-center gap-2.5 text-muted">
        <Dot tone="accent" live />
        {t("first.waiting")}
      </p>
    </div>
  );
}
