import { mkdirSync } from "node:fs";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "playwright-core";

export const SCREENS = process.env["KERNEX_SCREENS"] ?? join(import.meta.dirname, "screens");

const WIDTHS = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } } as const;
const THEMES = ["light", "dark"] as const;

/** Writes a picture of the page in both themes at two widths, and lets axe look at it in both themes. */
export async function inspect(page: Page, name: string): Promise<string[]> {
  mkdirSync(SCREENS, { recursive: true });
  const found: string[] = [];
  for (const theme of THEMES) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    for (const [width, size] of Object.entries(WIDTHS)) {
      await page.setViewportSize(size);
      await settle(page);
      await page.screenshot({ path: join(SCREENS, `${name}-${theme}-${width}.png`) });
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      if (overflow > 0) found.push(`${name} ${theme} ${width}: ${overflow} px too wide`);
    }
    await page.setViewportSize(WIDTHS.desktop);
    const { violations } = await new AxeBuilder({ page })
      .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
      .analyze();
    for (const violation of violations) {
      const nodes = violation.nodes.slice(0, 3).map((node) => `${node.html} (${node.any[0]?.message ?? ""})`);
      found.push(`${name} ${theme}: ${violation.id}: ${violation.help}: ${nodes.join(" | ")}`);
    }
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  return found;
}

/** Until nothing moves: fonts are there, and two frames have been drawn. */
async function settle(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await document.fonts.ready;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  });
}
