import { afterEach, expect, test, vi } from "vitest";
import { changesBetween } from "@/lib/changes";
import { cli, curl, quote } from "@/lib/commands";
import { forEach, PartlyDone } from "@/lib/for-each";
import { formatBytes, formatDuration, groupFingerprint, relativeTime } from "@/lib/format";
import { plural, t, word } from "@/lib/i18n";
import { de } from "@/lib/messages/de";
import { en } from "@/lib/messages/en";
import { pageAfter, pageBefore } from "@/ui/paging";

afterEach(() => vi.unstubAllGlobals());

test("every message has the same gaps in every language", () => {
  const gaps = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((gap) => gap[1]).sort();
  for (const [key, text] of Object.entries(en)) expect(gaps(de[key as keyof typeof en]), key).toEqual(gaps(text));
});

test("gaps are filled as text, once, and plurals follow the count", () => {
  expect(t("rollback.to", { version: "{name}" })).toBe("Roll back to {name}");
  expect(plural("devices.count", 1)).toBe("1 device");
  expect(plural("devices.count", 1234)).toBe("1,234 devices");
  expect(word("status", "a_new_state")).toBe("a new state");
  expect(word("status", "__proto__")).toBe("  proto  ");
});

test("times are relative, and a clock that is a little ahead shows no future", () => {
  const now = Date.parse("2026-01-01T12:00:00Z");
  const at = (seconds: number) => new Date(now + seconds * 1000).toISOString();
  expect(relativeTime(at(-3), now)).toBe("just now");
  expect(relativeTime(at(20), now)).toBe("just now");
  expect(relativeTime(at(-180), now)).toBe("3 min. ago");
  expect(relativeTime(at(7_200), now)).toBe("in 2 hr.");
});

test("sizes and durations are short", () => {
  expect([0, 1023, 1536, 5 * 1024 ** 3].map(formatBytes)).toEqual(["0 B", "1,023 B", "1.5 KiB", "5 GiB"]);
  expect([0.25, 4.21, 75, 3_700, 200_000].map(formatDuration)).toEqual([
    "250 ms",
    "4.2 s",
    "1 min 15 s",
    "1 h 1 min",
    "2 d 7 h",
  ]);
  expect(groupFingerprint("0123456789abcdef")).toBe("01234567 89abcdef");
});

test("names that devices chose cannot break out of a command", () => {
  expect(quote("cam-1")).toBe("cam-1");
  expect(quote("a'; rm -rf ~ #")).toBe(`'a'\\''; rm -rf ~ #'`);
  expect(cli("device", "tag", "x", "note=$(id)")).toBe("kernex device tag x 'note=$(id)'");
  expect(curl("POST", "/api/v1/x", { a: "it's" })).toContain(`'{"a":"it'\\''s"}'`);
  expect(curl("GET", "/api/v1/x")).toContain("$KERNEX_TOKEN");
});

test("changes go down to single entries", () => {
  const before = { version: 1, polling_interval: 60, metadata: { a: 1, b: { c: true } } };
  const after = { version: 2, polling_interval: 30, metadata: { b: { c: false }, d: "x" } };
  expect(changesBetween(before, after)).toEqual([
    { path: "metadata.a", before: "1", after: "–" },
    { path: "metadata.b.c", before: "true", after: "false" },
    { path: "metadata.d", before: "–", after: '"x"' },
    { path: "polling_interval", before: "60", after: "30" },
  ]);
});

test("going back through pages ends where it began", () => {
  const second = pageAfter({}, "b");
  const third = pageAfter(second, "c");
  expect(third).toEqual({ cursor: "c", trail: "-,b" });
  expect(pageBefore(third)).toEqual({ cursor: "b", trail: "-" });
  expect(pageBefore(pageBefore(third))).toEqual({ cursor: undefined, trail: undefined });
});

test("many acts go on after a failure and say how many were done", async () => {
  const done: number[] = [];
  const act = async (item: number) => {
    if (item === 2) throw new Error("refused");
    done.push(item);
  };
  const failure = await forEach([1, 2, 3, 4, 5, 6], act).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PartlyDone);
  expect((failure as Error).message).toBe("5/6: refused");
  expect(done.sort()).toEqual([1, 3, 4, 5, 6]);
});
