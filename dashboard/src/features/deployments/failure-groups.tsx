import { useInfiniteQuery, useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import { type Target, targets } from "@/api/deployments";
import { device } from "@/api/devices";
import { deviceLabel, shortId } from "@/lib/format";
import { formatNumber, t, word } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { Card } from "@/ui/card";
import { Badge } from "@/ui/status";

interface Group {
  cause: string;
  message: string | null;
  targets: Target[];
}

const EXAMPLES = 4;

/** Why devices did not succeed, the commonest cause first. */
export function FailureGroups({ deploymentId, count }: { deploymentId: string; count: number }) {
  const enabled = count > 0;
  const failed = useInfiniteQuery({ ...targets(deploymentId, "failed"), enabled });
  const returned = useInfiniteQuery({ ...targets(deploymentId, "rolled_back"), enabled });
  const expired = useInfiniteQuery({ ...targets(deploymentId, "timed_out"), enabled });
  const all = [failed, returned, expired].flatMap((query) => query.data?.pages.flatMap((page) => page.targets) ?? []);
  const groups = groupByCause(all);
  if (groups.length === 0) return null;
  const isPart = [failed, returned, expired].some((query) => query.hasNextPage);
  return (
    <Card title={t("failures.title")} flush>
      <ul className="divide-y divide-line">
        {groups.map((group) => (
          <li key={`${group.cause}:${group.message}`} className="grid gap-1.5 px-4 py-3">
            <p className="flex flex-wrap items-center gap-2.5">
              <TriangleAlert aria-hidden="true" size={15} className="text-bad" />
              <span className="font-medium">{word("failure", group.cause)}</span>
              <Badge tone="bad">{formatNumber(group.targets.length)}</Badge>
            </p>
            {group.message !== null && (
              <p className="text-[0.8125rem] break-words whitespace-pre-wrap text-muted">{group.message}</p>
            )}
            <Examples targets={group.targets} />
          </li>
        ))}
      </ul>
      {isPart && <p className="border-t border-line px-4 py-2 text-xs text-muted">{t("failures.part")}</p>}
    </Card>
  );
}

function Examples({ targets: all }: { targets: Target[] }) {
  const shown = all.slice(0, EXAMPLES);
  const known = useQueries({
    queries: shown.map((target) => ({ ...device(target.device_id), refetchInterval: false as const })),
  });
  return (
    <p className="flex flex-wrap gap-x-3 gap-y-1 text-xs">
      {shown.map((target, index) => {
        const found = known[index]?.data;
        return (
          <Link
            key={target.device_id}
            {...paths.device(target.device_id)}
            className="max-w-60 truncate text-muted underline hover:text-accent"
          >
            {found === undefined ? shortId(target.device_id) : deviceLabel(found)}
          </Link>
        );
      })}
      {all.length > shown.length && (
        <span className="text-muted">{t("list.more", { count: all.length - shown.length })}</span>
      )}
    </p>
  );
}

/** Causes are told apart by code, and by message where a code has several. */
export function groupByCause(all: Target[]): Group[] {
  const groups = new Map<string, Group>();
  for (const target of all) {
    const cause = target.error_code ?? target.state;
    const message = target.error_message ?? null;
    // How long it took differs from device to device and is no cause.
    const key = `${cause}\n${(message ?? "").replace(/\d+(\.\d+)? m?s\b/g, "")}`;
    const group = groups.get(key) ?? { cause, message, targets: [] };
    group.targets.push(target);
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => b.targets.length - a.targets.length);
}
