import type { Change } from "@/lib/changes";

/** Values before and after, entry by entry. */
export function Changes({ changes }: { changes: Change[] }) {
  if (changes.length === 0) return null;
  return (
    <dl className="grid gap-0.5 font-mono text-xs">
      {changes.map((change) => (
        <div key={change.path} className="flex flex-wrap gap-x-2">
          <dt className="text-muted">{change.path}</dt>
          <dd className="min-w-0 break-all">
            <del className="rounded-sm bg-bad-soft px-1 text-bad no-underline">{change.before}</del>
            <span aria-hidden="true"> → </span>
            <ins className="rounded-sm bg-ok-soft px-1 text-ok no-underline">{change.after}</ins>
          </dd>
        </div>
      ))}
    </dl>
  );
}
