/** The rules of name and version, as the format publishes them. */
const VERSION = /^[A-Za-z0-9._+-]{1,64}$/;
const NAME = /^[a-z0-9._-]{1,64}$/;

export interface ManifestFacts {
  name: string;
  version: string;
  description: string | null;
  deviceTypes: string[];
  arch: string[];
}

export type ManifestProblem = "version_missing" | "version_bad" | "name_bad";

/** What a manifest says of itself, whatever else it holds. */
export function factsOf(manifest: Record<string, unknown>): ManifestFacts {
  const list = (value: unknown) => (Array.isArray(value) ? value.filter((item) => typeof item === "string") : []);
  const text = (value: unknown) => (typeof value === "string" ? value : null);
  return {
    name: text(manifest["name"]) ?? "default",
    version: text(manifest["version"]) ?? "",
    description: text(manifest["description"]),
    deviceTypes: list(manifest["device_types"]),
    arch: list(manifest["arch"]),
  };
}

/** What the control plane would refuse at once. It checks everything again. */
export function problemsOf(facts: ManifestFacts): ManifestProblem[] {
  const problems: ManifestProblem[] = [];
  if (facts.version === "") problems.push("version_missing");
  else if (!VERSION.test(facts.version)) problems.push("version_bad");
  if (!NAME.test(facts.name)) problems.push("name_bad");
  return problems;
}
