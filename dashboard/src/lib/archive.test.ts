import { describe, expect, test } from "vitest";
import { readManifest } from "@/lib/archive";
import { factsOf, problemsOf } from "@/lib/manifest";
import { makeBundle } from "../../e2e/archive.ts";

const blob = (bytes: Uint8Array) => new Blob([new Uint8Array(bytes)]);

describe("what an archive says before it is sent", () => {
  test("the manifest is found behind other files", async () => {
    const bytes = makeBundle({ name: "detector", version: "1.2.0" });
    expect(await readManifest(blob(bytes))).toEqual({
      kind: "manifest",
      manifest: { name: "detector", version: "1.2.0" },
    });
  });

  test("zstd is left to the control plane", async () => {
    expect(await readManifest(blob(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 1, 2)))).toEqual({ kind: "unreadable" });
  });

  test.each([
    ["text", new TextEncoder().encode("hello")],
    ["nothing", new Uint8Array()],
    ["a cut gzip", makeBundle({ version: "1" }).subarray(0, 20)],
  ])("%s is no archive", async (_, bytes) => {
    expect(await readManifest(blob(bytes))).toEqual({ kind: "broken", reason: "not_an_archive" });
  });

  test("rules of name and version are those of the format", () => {
    const check = (manifest: Record<string, unknown>) => problemsOf(factsOf(manifest));
    expect(check({ version: "1.0.0" })).toEqual([]);
    expect(check({})).toEqual(["version_missing"]);
    expect(check({ version: "1 0", name: "Detector" })).toEqual(["version_bad", "name_bad"]);
    expect(check({ version: 3 })).toEqual(["version_missing"]);
  });
});
