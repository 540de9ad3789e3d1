import { ChevronRight } from "lucide-react";
import { t } from "@/lib/i18n";
import { CodeBlock } from "@/ui/copy";

export interface Commands {
  cli?: string;
  curl: string;
}

/** The same act for a terminal. */
export function CommandLines({ cli, curl }: Commands) {
  return (
    <details className="group min-w-0 text-sm">
      <summary className="inline-flex list-none items-center gap-1 rounded text-xs text-muted hover:text-ink">
        <ChevronRight aria-hidden="true" size={13} className="transition-transform group-open:rotate-90" />
        {t("commands.summary")}
      </summary>
      <div className="mt-2 grid min-w-0 gap-2">
        {cli !== undefined && <CodeBlock code={cli} label={t("commands.cli")} />}
        <CodeBlock code={curl} label="curl" />
      </div>
    </details>
  );
}
