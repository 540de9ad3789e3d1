import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

interface EmptyProps {
  icon: LucideIcon;
  title: string;
  text?: ReactNode;
  children?: ReactNode;
}

export function Empty({ icon: Icon, title, text, children }: EmptyProps) {
  return (
    <div className="mx-auto grid max-w-lg justify-items-center gap-3 px-6 py-14 text-center">
      <span className="grid size-11 place-items-center rounded-xl border border-line bg-sunken text-muted">
        <Icon aria-hidden="true" size={20} />
      </span>
      <p className="text-[0.9375rem] font-semibold">{title}</p>
      {text !== undefined && <p className="text-muted">{text}</p>}
      {children}
    </div>
  );
}
