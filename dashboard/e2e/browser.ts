import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

export async function launch(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing: apt-get install chromium`);
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** What a page complained about: violations of its policy, errors of scripts. */
export class Complaints {
  readonly all: string[] = [];

  watch(page: Page): void {
    page.on("pageerror", (error) => this.all.push(`error: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      if (message.type() === "error" && /Content Security Policy|TrustedScript|Trusted/.test(text)) this.all.push(text);
    });
    page.on("dialog", (dialog) => {
      this.all.push(`a script ran: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }
}

export async function newPage(context: BrowserContext, complaints: Complaints): Promise<Page> {
  const page = await context.newPage();
  complaints.watch(page);
  page.setDefaultTimeout(45_000);
  page.setDefaultNavigationTimeout(120_000);
  return page;
}
