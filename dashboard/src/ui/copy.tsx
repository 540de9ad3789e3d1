import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { t } from "@/lib/i18n";
import { cx } from "@/ui/classes";

const SHOWN_MS = 1_600;

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await writeClipboard(text);
    setCopied(true);
    setTimeout(() => setCopied(false), SHOWN_MS);
  };
  return (
    <button
      type="button"
      data-noprint
      onClick={copy}
      aria-label={copied ? t("action.copied") : label}
      title={label}
      className="inline-grid size-6 shrink-0 place-items-center rounded-md text-faint hover:bg-hover hover:text-ink"
    >
      {copied ? <Check aria-hidden="true" size={13} className="text-ok" /> : <Copy aria-hidden="true" size={13} />}
    </button>
  );
}

/** Without TLS browsers keep the clipboard from pages; a selection and the old command still work there. */
async function writeClipboard(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Lines to copy into a terminal. */
export function CodeBlock({ code, label, className }: { code: string; label: string; className?: string }) {
  return (
    <div className={cx("relative w-full min-w-0 rounded-lg border border-line bg-sunken text-left", className)}>
      <section
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label={label}
        className="overflow-x-auto rounded-lg px-3.5 py-3 pr-11"
      >
        <pre className="font-mono text-xs leading-relaxed">{code}</pre>
      </section>
      <div className="absolute top-2 right-2 rounded-md bg-sunken">
        <CopyButton text={code} label={`${t("action.copy")}: ${label}`} />
      </div>
    </div>
  );
}
