import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBundle } from "./archive.ts";
import { Complaints, launch, newPage } from "./browser.ts";
import { ControlPlane } from "./control-plane.ts";
import { inspect } from "./screens.ts";

const PASSWORD = "correct horse battery";
/** What a device may call itself. If any of it became markup, a dialog would open or an element would appear. */
const HOSTILE = `<img src=x onerror=alert(1)>"'><script>alert(2)</script>{{7*7}}`;

const plane = new ControlPlane();
const complaints = new Complaints();
const findings: string[] = [];
let browser: Browser;
let context: BrowserContext;
let page: Page;

/** The same page from a development server, when one is named. */
function address(path: string): string {
  return `${process.env["DASHBOARD_URL"] ?? plane.url}${path}`;
}

async function look(name: string): Promise<void> {
  findings.push(...(await inspect(page, name)));
}

function bundleFile(name: string, manifest: object, files: Record<string, string> = {}): string {
  const path = join(plane.folder, name);
  writeFileSync(path, makeBundle(manifest, files));
  return path;
}

beforeAll(async () => {
  await plane.start();
  browser = await launch();
  context = await browser.newContext({
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    viewport: { width: 1440, height: 900 },
  });
  page = await newPage(context, complaints);
});

afterAll(async () => {
  await browser?.close();
  await plane.dispose();
});

test("the first admin comes from the one-time link and lands on the first steps", async () => {
  await page.goto(address("/"));
  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
  await look("login");
  await page.goto(plane.setupLink.replace(plane.url, address("")));
  await page.getByLabel("Password").fill("short");
  expect(await page.getByRole("button", { name: "Create admin" }).isDisabled()).toBe(true);
  await look("setup");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Create admin" }).click();
  await page.getByRole("heading", { name: "Get started" }).waitFor();
  await look("first-steps");
});

test("a device that runs the line appears by itself", async () => {
  await page.getByRole("button", { name: "Make the line" }).click();
  const line = (await page.getByRole("region", { name: "The line for the device" }).textContent()) ?? "";
  const token = /KERNEX_REGISTRATION_TOKEN=(\S+)/.exec(line)?.[1] ?? "";
  expect(token).not.toBe("");
  await look("first-device");
  plane.agent("cam-1", "--registration-token", token, "--device-type", "jetson", "--tag", "site=berlin");
  plane.agent(
    "cam-2",
    "--registration-token",
    token,
    "--device-type",
    HOSTILE,
    "--tag",
    `note=${HOSTILE.slice(0, 40)}`,
  );
  await page.getByRole("link", { name: /^Online 2/ }).waitFor();
});

test("a device without a token waits, shows its fingerprint, and is let in", async () => {
  plane.agent("cam-3", "--device-type", "raspberry-pi");
  await page
    .getByRole("navigation", { name: "Main navigation" })
    .getByRole("link", { name: /Approvals/ })
    .click();
  await page.getByText("raspberry-pi").waitFor();
  expect(await page.getByText(/^([0-9a-f]{8} ){7}[0-9a-f]{8}$/).count()).toBe(1);
  await look("approvals");
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByText("No device waits").waitFor();
});

test("the list filters on the server, keeps its view in the address, and draws hostile names as text", async () => {
  await goTo("Devices");
  await page.getByText("3 in all").waitFor();
  expect(await page.getByText(HOSTILE).count()).toBeGreaterThan(0);
  await look("devices");
  await page.getByRole("combobox", { name: "Search" }).fill("jetson");
  await page.getByText("1 in all").waitFor();
  expect(page.url()).toContain("q=jetson");
  await page.getByRole("combobox", { name: "Search" }).fill("site");
  await page.getByRole("option", { name: "site=", exact: true }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("option", { name: /berlin/ }).waitFor();
  await page.keyboard.press("ArrowDown");
  await look("devices-completion");
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.searchParams.get("q")?.includes("site=berlin") ?? false);
  await page.getByText("1 in all").waitFor();
  await page.getByRole("combobox", { name: "Search" }).fill("status=on");
  await page.getByText(/none of: online/).waitFor();
  await page.getByRole("combobox", { name: "Search" }).fill("");
  await page.getByText("3 in all").waitFor();
  await page.keyboard.press("Escape");
  await page.getByLabel("Select all on this page").check();
  await page.getByText("3 selected").waitFor();
  await look("devices-selected");
  await page.getByRole("button", { name: "Clear the selection" }).click();
});

async function logIn(username = "admin", password = PASSWORD): Promise<void> {
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("navigation", { name: "Main navigation" }).waitFor();
}

const goTo = async (name: string) =>
  page.getByRole("navigation", { name: "Main navigation" }).getByRole("link", { name, exact: true }).click();

test("a bundle is checked in the browser, uploaded, and the same version twice is refused beforehand", async () => {
  await goTo("Bundles");
  await page.getByText("No bundles yet").waitFor();
  await look("bundles-empty");
  await page.getByRole("button", { name: "Upload a bundle" }).first().click();
  const bad = bundleFile("bad.tar.gz", { name: "detector" });
  await page.locator("input[type=file]").setInputFiles(bad);
  await page.getByText("The manifest has no version.").waitFor();
  expect(await page.getByRole("button", { name: "Upload", exact: true }).isDisabled()).toBe(true);
  const one = bundleFile(
    "one.tar.gz",
    { name: "detector", version: "1.0.0", description: `day model ${HOSTILE}` },
    { "model.txt": "one" },
  );
  await page.locator("input[type=file]").setInputFiles(one);
  await page.getByText("1.0.0").waitFor();
  await look("upload");
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await page.getByRole("heading", { name: "detector 1.0.0" }).waitFor();
  for (const [version, manifest, files] of [
    ["1.1.0", {}, { "model.txt": "two" }],
    [
      "2.0.0",
      { deploy: { script: "./deploy.sh" } },
      { "deploy.sh": "#!/bin/sh\necho '<b>no camera</b>' >&2\nexit 3\n" },
    ],
  ] as const) {
    await goTo("Bundles");
    await page.getByRole("button", { name: "Upload a bundle" }).first().click();
    const file = bundleFile(
      `${version}.tar.gz`,
      { name: "detector", version, description: "night model", ...manifest },
      files,
    );
    await page.locator("input[type=file]").setInputFiles(file);
    await page.getByRole("button", { name: "Upload", exact: true }).click();
    await page.getByRole("heading", { name: `detector ${version}` }).waitFor();
  }
  await look("bundle");
  await goTo("Bundles");
  await page.getByText("3 in all").waitFor();
  await look("bundles");
  await page.getByRole("button", { name: "Upload a bundle" }).first().click();
  await page.locator("input[type=file]").setInputFiles(one);
  await page.getByText("This name and version is there already.").waitFor();
  await page.keyboard.press("Escape");
});

async function deploy(version: string): Promise<void> {
  await goTo("Deployments");
  await page.getByRole("link", { name: "New deployment" }).first().click();
  await page.getByRole("button", { name: new RegExp(`detector ${version}`) }).click();
  await page.getByRole("heading", { name: "Which devices?" }).waitFor();
  await page.getByLabel(/All 3 that are shown/).check();
  await page.getByRole("status").filter({ hasText: "3 selected" }).waitFor();
  if (version === "1.0.0") await look("new-deployment");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("Why").fill(`to ${version}`);
  if (version === "1.0.0") await look("new-deployment-confirm");
  await page.getByRole("button", { name: "Deploy to 3 devices" }).click();
  await page.getByRole("heading", { name: `Deploy detector ${version}` }).waitFor();
}

test("a deployment is created in steps and watched until every device runs it", async () => {
  await deploy("1.0.0");
  await page.getByText("Success", { exact: true }).first().waitFor();
  await look("deployment-success");
  await deploy("1.1.0");
  await page.getByText("Success", { exact: true }).first().waitFor();
});

test("a version that fails is grouped by cause, with what the device said as text", async () => {
  await deploy("2.0.0");
  await page.getByRole("heading", { name: "Failures by cause" }).waitFor();
  await page
    .getByText(/<b>no camera<\/b>/)
    .first()
    .waitFor();
  await look("deployment-failed");
  await goTo("Deployments");
  await page.getByText("3 in all").waitFor();
  await look("deployments");
});

test("a device shows its history, its values, its lines, and goes back to a version that worked", async () => {
  await goTo("Devices");
  await page.getByRole("row").filter({ hasText: "jetson" }).getByRole("link").first().click();
  await page.getByRole("heading", { name: "Last changes" }).waitFor();
  await page.getByText("Script failed").first().waitFor();
  await look("device");
  const tab = (name: string) => page.getByRole("navigation", { name: "Device" }).getByRole("link", { name });
  await tab("Metrics").click();
  await page.getByRole("img", { name: /^CPU: \d+ values/ }).waitFor();
  await page.locator("canvas").first().waitFor();
  await look("device-metrics");
  await tab("Logs").click();
  await page.getByRole("list").getByText("INFO").first().waitFor();
  await look("device-logs");
  await tab("Configuration").click();
  await page.getByLabel("Heartbeat interval (s)").fill("0");
  await page.getByText("A whole number from 1 to").waitFor();
  await page.getByLabel("Heartbeat interval (s)").fill("2");
  await page.getByLabel("Metadata").fill(JSON.stringify({ note: HOSTILE }));
  await page.getByRole("region", { name: "Changes" }).waitFor();
  await look("device-config");
  await page.getByRole("button", { name: "Save and send" }).click();
  await page.getByText("Version 2 is in effect").waitFor();
  await tab("Settings").click();
  await page.getByLabel("Name", { exact: true }).fill(HOSTILE);
  await page.getByRole("button", { name: "Save name" }).click();
  await page.getByRole("heading", { name: HOSTILE }).waitFor();
  await look("device-settings");
  await page.getByLabel("Name", { exact: true }).fill("cam-1");
  await page.getByRole("button", { name: "Save name" }).click();
  await page.getByRole("heading", { name: "cam-1" }).waitFor();
  await tab("Bundles").click();
  await page.getByRole("button", { name: "Roll back to 1.0.0" }).first().click();
  await page.getByRole("dialog").getByText("cam-1 goes from 1.1.0 back to 1.0.0.").waitFor();
  await look("rollback");
  await page.getByRole("dialog").getByRole("button", { name: "Roll back", exact: true }).click();
  await page.getByRole("heading", { name: "Roll back to detector 1.0.0" }).waitFor();
  await page.getByText("Success", { exact: true }).first().waitFor();
});

test("the overview tells how the fleet is", async () => {
  await goTo("Overview");
  await page.getByRole("heading", { name: "Needs attention" }).waitFor();
  await page.getByText("detector 2.0.0 did not succeed on 3 devices").waitFor();
  await look("overview");
});

test("a group is a selector with a name, counted while it is typed", async () => {
  await goTo("Groups");
  await page.getByText("No groups yet").waitFor();
  await page.getByRole("button", { name: "New group" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill("berlin");
  await page.getByRole("combobox", { name: "Selector" }).fill("site=berlin");
  await page.getByText("1 device fits now").waitFor();
  await look("group-dialog");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("cell", { name: "site=berlin" }).waitFor();
  await page.getByText("1 device", { exact: true }).waitFor();
  await look("groups");
});

test("the audit log says who did what, and can be taken along", async () => {
  await goTo("Audit");
  await page.getByRole("button", { name: "device.approve" }).first().waitFor();
  await look("audit");
  await page.getByRole("textbox", { name: "Action" }).fill("device.*");
  await page.getByRole("button", { name: "bundle.upload" }).first().waitFor({ state: "detached" });
  await page.getByRole("button", { name: "device.approve" }).first().click();
  await page.getByRole("dialog").getByText("admin").first().waitFor();
  await look("audit-record");
  await page.keyboard.press("Escape");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "CSV" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("audit.csv");
});

test("a session that ended elsewhere leads to the login and back to where one was", async () => {
  await page.getByRole("button", { name: "Account of admin" }).click();
  await page.getByRole("menuitem", { name: "Account" }).click();
  await page.getByText("this one").waitFor();
  await look("account");
  const second = await newPage(context, complaints);
  await second.goto(address("/deployments"));
  await second.getByRole("heading", { name: "Deployments" }).waitFor();
  await second.close();
  await context.clearCookies();
  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
  expect(page.url()).toContain("next=");
  await logIn();
  await page.getByRole("heading", { name: "Account" }).waitFor();
});

test("registration tokens and the system have their pages", async () => {
  await goTo("Registration tokens");
  await page.getByRole("button", { name: "New token" }).click();
  await page.getByRole("button", { name: "Make the token" }).click();
  await page.getByText("Copy the token now").waitFor();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("cell", { name: "by admin" }).first().waitFor();
  await look("tokens");
  await goTo("System");
  await page.getByText("Database").waitFor();
  await look("system");
});

test("who may only read is offered nothing else, and is told so on a page that is not theirs", async () => {
  const made = await page.request.post(address("/api/v1/auth/register"), {
    headers: { "X-Kernex-CSRF": "1", Origin: new URL(address("/")).origin },
    data: { username: "auditor", password: PASSWORD, role: "read_only" },
  });
  expect(made.status()).toBe(201);
  const theirs = await browser.newContext({ locale: "de-DE", viewport: { width: 1440, height: 900 } });
  const seen = await newPage(theirs, complaints);
  await seen.goto(address("/deployments"));
  await seen.getByRole("heading", { name: "Willkommen zurück" }).waitFor();
  await seen.getByLabel("Benutzername").fill("auditor");
  await seen.getByLabel("Passwort").fill(PASSWORD);
  await seen.getByRole("button", { name: "Anmelden" }).click();
  await seen.getByRole("heading", { name: "Verteilungen" }).waitFor();
  await seen.getByText(/insgesamt/).waitFor();
  expect(await seen.getByRole("link", { name: "Neue Verteilung" }).count()).toBe(0);
  expect(await seen.getByRole("link", { name: "Audit" }).count()).toBe(0);
  await seen.getByRole("link", { name: "Geräte", exact: true }).click();
  await seen.getByRole("link", { name: "cam-1" }).waitFor();
  expect(await seen.getByRole("checkbox").count()).toBe(0);
  await seen.goto(address("/audit"));
  await seen.getByText("Sie dürfen das nicht sehen").waitFor();
  findings.push(...(await inspect(seen, "forbidden-german")));
  await theirs.close();
});

test("on a phone the navigation opens as a drawer and closes when one goes somewhere", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole("button", { name: "Open the navigation" }).click();
  await page.getByRole("dialog", { name: "Main navigation" }).getByRole("link", { name: "Devices" }).click();
  await page.getByRole("heading", { name: "Devices" }).waitFor();
  expect(await page.getByRole("dialog", { name: "Main navigation" }).isVisible()).toBe(false);
  await page.setViewportSize({ width: 1440, height: 900 });
});

test("the palette goes anywhere by keyboard alone", async () => {
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Go to …" }).pressSequentially("cam-1");
  await page.getByRole("option", { name: /cam-1/ }).waitFor();
  await look("palette");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "cam-1" }).waitFor();
});

test("what is shown stays while the control plane is away, is said to be old, and is fresh again afterwards", async () => {
  await plane.stop();
  await page.getByText(/Reconnecting, as of/).waitFor();
  expect(await page.getByRole("heading", { name: "cam-1" }).isVisible()).toBe(true);
  await look("stale");
  await plane.start();
  await page.getByText("Live", { exact: true }).waitFor();
});

test("the first load is at most 150 kB of script, gzip", async () => {
  const sizes: number[] = [];
  const fresh = await browser.newContext();
  const first = await fresh.newPage();
  first.on("response", async (response) => {
    if (!response.url().endsWith(".js")) return;
    sizes.push((await response.request().sizes()).responseBodySize);
  });
  await first.goto(address("/"));
  await first.getByLabel("Username").fill("admin");
  await first.getByLabel("Password").fill(PASSWORD);
  await first.getByRole("button", { name: "Log in" }).click();
  await first.getByRole("heading", { name: "Needs attention" }).waitFor();
  await first.waitForLoadState("networkidle", { timeout: 3_000 }).catch(() => {});
  await fresh.close();
  const total = sizes.reduce((sum, size) => sum + size, 0);
  console.log(`first load: ${total} bytes of script in ${sizes.length} files`);
  expect(total).toBeLessThanOrEqual(150_000);
});

test("no page broke its policy, ran a script of a device, was too wide, or has something for axe", () => {
  expect(complaints.all).toEqual([]);
  expect(findings).toEqual([]);
});
