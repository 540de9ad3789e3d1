import { Link } from "@tanstack/react-router";
import { Check } from "lucide-react";
import type { ReactNode } from "react";
import type { Stats } from "@/api/system";
import { t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { FirstDevice } from "@/parts/first-device";
import { buttonClass } from "@/ui/button";
import { cx } from "@/ui/classes";

/** From an empty control plane to the first deployment; each step is ticked off by what is there. */
export function FirstSteps({ stats }: { stats: Stats }) {
  const done = [
    stats.total_devices > 0,
    stats.bundles > 0,
    Object.values(stats.deployments_by_status).some((count) => count > 0),
  ];
  const next = done.indexOf(false);
  return (
    <section aria-labelledby="first-steps" className="rounded-2xl border border-line bg-surface p-5 sm:p-6">
      <h2 id="first-steps" className="text-base font-semibold">
        {t("first.title")}
      </h2>
      <p className="mt-1 text-muted">{t("first.lead")}</p>
      <ol className="mt-5 grid gap-5">
        <Step number={1} title={t("first.device")} isDone={done[0] === true} isNext={next === 0}>
          <FirstDevice />
        </Step>
        <Step number={2} title={t("first.bundle")} isDone={done[1] === true} isNext={next === 1}>
          <p className="mb-3 text-muted">{t("first.bundleText")}</p>
          <Link to="/bundles" search={{ upload: true }} className={buttonClass("primary")}>
            {t("bundles.upload")}
          </Link>
        </Step>
        <Step number={3} title={t("first.deployment")} isDone={done[2] === true} isNext={next === 2}>
          <p className="mb-3 text-muted">{t("first.deploymentText")}</p>
          <Link {...paths.newDeployment()} className={buttonClass("primary")}>
            {t("deployments.new")}
          </Link>
        </Step>
      </ol>
    </section>
  );
}

interface StepProps {
  number: number;
  title: string;
  isDone: boolean;
  isNext: boolean;
  children: ReactNode;
}

function Step({ number, title, isDone, isNext, children }: StepProps) {
  return (
    <li className="grid grid-cols-[1.75rem_minmax(0,1fr)] gap-x-3">
      <span
        className={cx(
          "grid size-7 place-items-center rounded-full text-[0.8125rem] font-semibold",
          isDone ? "bg-ok-soft text-ok" : isNext ? "bg-accent-fill text-white" : "bg-off-soft text-muted",
        )}
      >
        {isDone ? <Check aria-label={t("first.done")} size={15} /> : number}
      </span>
      <div className="pt-1">
        <h3 className={cx("font-medium", !isNext && "text-muted")}>{title}</h3>
        {isNext && <div className="mt-2">{children}</div>}
      </div>
    </li>
  );
}
