import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { devices } from "@/api/devices";
import { formatNumber, plural } from "@/lib/i18n";
import { paths } from "@/lib/paths";

/** How many devices run a version, as a link to them. */
export function DeviceCount({ version }: { version: string }) {
  const { data } = useQuery({ ...devices({ bundle_version: version }, { limit: 1 }), staleTime: 10_000 });
  if (data === undefined) return <span className="text-faint">…</span>;
  if (data.total === 0) return <span className="tabular text-muted">{formatNumber(0)}</span>;
  return (
    <Link {...paths.devices({ version })} className="tabular hover:text-accent hover:underline">
      {plural("devices.count", data.total)}
    </Link>
  );
}
