/** Labels of a device, each on one line however long it is. */
export function Tags({ tags, most }: { tags: Record<string, string>; most?: number }) {
  const entries = Object.entries(tags);
  if (entries.length === 0) return <span className="text-faint">–</span>;
  const shown = most === undefined ? entries : entries.slice(0, most);
  return (
    <span className="flex flex-wrap gap-1">
      {shown.map(([key, value]) => (
        <span
          key={key}
          title={`${key}=${value}`}
          className="max-w-44 truncate rounded-md border border-line bg-sunken px-1.5 text-xs leading-5"
        >
          <span className="text-muted">{key}=</span>
          {value}
        </span>
      ))}
      {shown.length < entries.length && (
        <span className="text-xs leading-5 text-muted">+{entries.length - shown.length}</span>
      )}
    </span>
  );
}
