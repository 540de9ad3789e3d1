import { readSetting, writeSetting } from "@/lib/storage";

export type Theme = "system" | "light" | "dark";

export function currentTheme(): Theme {
  const stored = readSetting("theme");
  return stored === "dark" || stored === "light" ? stored : "system";
}

export function chooseTheme(theme: Theme): void {
  writeSetting("theme", theme);
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  window.dispatchEvent(new Event("kernex:theme"));
}
