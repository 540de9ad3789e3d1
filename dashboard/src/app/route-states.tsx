import { type ErrorComponentProps, Link, useRouter } from "@tanstack/react-router";
import { SearchX } from "lucide-react";
import { t } from "@/lib/i18n";
import { buttonClass } from "@/ui/button";
import { Empty } from "@/ui/empty";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/page";

export function NotFound() {
  return (
    <Empty icon={SearchX} title={t("error.noPage")} text={t("error.noPageText")}>
      <Link to="/" className={buttonClass()}>
        {t("nav.overview")}
      </Link>
    </Empty>
  );
}

/** A page that broke, or whose code did not arrive (a new version of the control plane has other files). */
export function RouteFailure({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const retry = () => {
    if (error instanceof Error && /dynamically imported module/.test(error.message)) {
      location.reload();
      return;
    }
    reset();
    void router.invalidate();
  };
  return <Failure error={error} onRetry={retry} />;
}

export function RoutePending() {
  return (
    <div className="mx-auto w-full max-w-[100rem] px-4 py-5 sm:px-6 lg:px-8">
      <Skeleton rows={8} />
    </div>
  );
}
