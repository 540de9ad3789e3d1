import type { ButtonHTMLAttributes } from "react";
import { cx } from "@/ui/classes";

export type ButtonKind = "primary" | "secondary" | "ghost" | "danger" | "danger-quiet" | "danger-ghost";
type ButtonSize = "md" | "sm" | "icon";

const BASE =
  "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-lg font-medium whitespace-nowrap transition-colors select-none aria-disabled:cursor-not-allowed disabled:cursor-not-allowed disabled:opacity-55";
const KINDS: Record<ButtonKind, string> = {
  primary: "bg-accent-fill text-white hover:bg-accent-fill-hover",
  secondary: "border border-line-strong bg-surface text-ink hover:bg-hover",
  ghost: "text-muted hover:bg-hover hover:text-ink",
  danger: "bg-bad-strong text-white hover:brightness-110",
  "danger-quiet": "border border-line-strong bg-surface text-bad hover:bg-bad-soft",
  "danger-ghost": "text-bad hover:bg-bad-soft",
};
const SIZES: Record<ButtonSize, string> = {
  md: "h-9 px-3.5 text-sm",
  sm: "h-8 px-2.5 text-[0.8125rem]",
  icon: "size-8",
};

/** The look of a button, for links that look like one. */
export function buttonClass(kind: ButtonKind = "secondary", size: ButtonSize = "md", extra?: string): string {
  return cx(BASE, KINDS[kind], SIZES[size], extra);
}

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: ButtonKind;
  size?: ButtonSize;
  /** Shows that the action is under way and refuses a second press. */
  busy?: boolean;
}

export function Button({ kind, size, busy = false, className, disabled, children, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={buttonClass(kind, size, className)}
    >
      {busy && <Spinner />}
      {children}
    </button>
  );
}

export function Spinner() {
  return (
    <span
      aria-hidden="true"
      className="size-3.5 animate-spin rounded-full border-2 border-current border-r-transparent opacity-80"
    />
  );
}
