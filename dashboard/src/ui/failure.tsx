import { CloudOff, Lock, SearchX, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { ApiFailure } from "@/api/errors";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy";
import { Empty } from "@/ui/empty";

/** What happened, in words. */
export function failureText(error: unknown): string {
  if (!(error instanceof ApiFailure)) return error instanceof Error ? error.message : String(error);
  return error.status === 0 ? t("error.unreachable") : error.message;
}

function RequestId({ error }: { error: unknown }) {
  if (!(error instanceof ApiFailure) || error.requestId === null) return null;
  return (
    <span className="inline-flex items-center gap-1 text-xs text-faint">
      {t("error.requestId")} <code className="font-mono">{error.requestId}</code>
      <CopyButton text={error.requestId} label={t("error.copyRequestId")} />
    </span>
  );
}

/** In place of a page or a card that could not be loaded. */
export function Failure({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const status = error instanceof ApiFailure ? error.status : -1;
  const [icon, title] =
    status === 403
      ? ([Lock, t("error.forbidden")] as const)
      : status === 404
        ? ([SearchX, t("error.notFound")] as const)
        : status === 0
          ? ([CloudOff, t("error.offline")] as const)
          : ([TriangleAlert, t("error.load")] as const);
  return (
    <div role="alert">
      <Empty icon={icon} title={title} text={failureText(error)}>
        {onRetry !== undefined && status !== 403 && status !== 404 && (
          <Button size="sm" onClick={onRetry}>
            {t("action.retry")}
          </Button>
        )}
        <RequestId error={error} />
      </Empty>
    </div>
  );
}

/** Beside the thing that failed: in a form, a dialog. Says what was not done. */
export function FailureNote({ error, title }: { error: unknown; title: ReactNode }) {
  if (error === null || error === undefined) return null;
  return (
    <div role="alert" className="grid gap-1 rounded-lg border border-bad/30 bg-bad-soft px-3 py-2.5 text-sm">
      <p className="font-medium text-bad">{title}</p>
      <p className="break-words">{failureText(error)}</p>
      <RequestId error={error} />
    </div>
  );
}
