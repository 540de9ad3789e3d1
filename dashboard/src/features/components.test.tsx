import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import type { Target } from "@/api/deployments";
import { ApiFailure } from "@/api/errors";
import { groupByCause } from "@/features/deployments/failure-groups";
import { fleetConcerns } from "@/features/overview/attention";
import { localAddress } from "@/features/session/login-page";
import { FirstDevice } from "@/parts/first-device";
import { draw, problem, serve } from "@/test/render";
import { Confirm } from "@/ui/confirm";
import { Failure } from "@/ui/failure";
import { Tags } from "@/ui/tags";

afterEach(() => vi.unstubAllGlobals());

test("the first device's line holds a token that was made for it", async () => {
  const asked = serve({
    "POST /api/v1/registration-tokens": { id: "t", token: "kxr_$1", expires_at: "2026-01-01T00:00:00Z" },
  });
  draw(<FirstDevice />);
  await userEvent.click(await screen.findByRole("button", { name: "Make the line" }));
  const line = await screen.findByRole("region", { name: "The line for the device" });
  expect(line.textContent).toContain("KERNEX_REGISTRATION_TOKEN='kxr_$1' kernex-agent run --control-plane");
  expect(asked[0]?.body).toEqual({ uses: 10, ttl_secs: 3600, tags: {} });
});

test("a refusal says what was not done, why, and by which request", async () => {
  serve({ "POST /api/v1/registration-tokens": () => problem(403, "forbidden", "this needs the role ops") });
  draw(<FirstDevice />);
  await userEvent.click(await screen.findByRole("button", { name: "Make the line" }));
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("The token was not made");
  expect(alert.textContent).toContain("this needs the role ops");
  expect(alert.textContent).toContain("req-1");
});

test("what cannot be undone waits for its phrase, and stays open when it fails", async () => {
  const act = vi
    .fn()
    .mockRejectedValueOnce(new ApiFailure(409, "conflict", "a device needs it", "req-2"))
    .mockResolvedValue(1);
  const close = vi.fn();
  draw(<Confirm open onClose={close} title="Sure?" extent="all of it" phrase="cam-1" action="Do it" onConfirm={act} />);
  const button = await screen.findByRole("button", { name: "Do it" });
  expect(button).toHaveProperty("disabled", true);
  await userEvent.type(screen.getByLabelText(/Type “cam-1”/), "cam-1");
  await userEvent.click(button);
  expect((await screen.findByRole("alert")).textContent).toContain("a device needs it");
  expect(close).not.toHaveBeenCalled();
  await userEvent.click(screen.getByRole("button", { name: "Do it" }));
  await waitFor(() => expect(close).toHaveBeenCalledOnce());
});

test("a page that may not be seen offers no second try", async () => {
  draw(<Failure error={new ApiFailure(403, "forbidden", "no", null)} onRetry={() => {}} />);
  expect(await screen.findByText("You may not see this")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Try again" })).toBeNull();
});

test("labels of a device are text", async () => {
  draw(<Tags tags={{ note: "<img src=x onerror=alert(1)>" }} />);
  expect(await screen.findByText("<img src=x onerror=alert(1)>")).toBeTruthy();
  expect(document.querySelector("img")).toBeNull();
});

test("failures are grouped by cause, the commonest first", () => {
  const target = (device_id: string, error_code: NonNullable<Target["error_code"]>, error_message: string): Target => ({
    device_id,
    error_code,
    error_message,
    state: "failed",
    attempt: 1,
    updated_at: "2026-01-01T00:00:00Z",
  });
  const groups = groupByCause([
    target("a", "disk_full", "x"),
    target("b", "script_failed", "exit 1"),
    target("c", "script_failed", "exit 1"),
    target("d", "script_failed", "exit 2"),
  ]);
  expect(groups.map((group) => [group.cause, group.message, group.targets.length])).toEqual([
    ["script_failed", "exit 1", 2],
    ["disk_full", "x", 1],
    ["script_failed", "exit 2", 1],
  ]);
});

test("many devices offline at once are a storm, one is not", () => {
  const stats = (offline: number) => ({
    total_devices: 50,
    online_devices: 50 - offline,
    offline_devices: offline,
    pending_devices: 0,
    devices_by_status: {},
    bundles: 0,
    active_deployments: 0,
    deployments_by_status: {},
    heartbeats_per_second: 0,
    lost_devices: 0,
    sites_offline: 0,
  });
  expect(fleetConcerns(stats(0))).toEqual([]);
  expect(fleetConcerns(stats(1))[0]?.text).toBe("1 device is offline");
  expect(fleetConcerns(stats(9))[0]?.text).toContain("at once");
});

test("a login leads to an address of this dashboard only", () => {
  expect(localAddress("/devices?q=a")).toBe("/devices?q=a");
  for (const bad of ["//evil.example", "https://evil.example", "/\\evil.example", undefined]) {
    expect(localAddress(bad)).toBe("/");
  }
});
