import { currentLanguage, formatNumber, t } from "@/lib/i18n";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "3 min ago", in the viewer's language. */
export function relativeTime(iso: string, now: number): string {
  const seconds = Math.round((new Date(iso).getTime() - now) / 1000);
  const distance = Math.abs(seconds);
  // Clocks differ a little: what is a few seconds ahead happened now.
  if (distance < 10 || (seconds > 0 && seconds < MINUTE)) return t("time.now");
  const format = new Intl.RelativeTimeFormat(currentLanguage(), { numeric: "always", style: "short" });
  if (distance < MINUTE) return format.format(seconds, "second");
  if (distance < HOUR) return format.format(Math.round(seconds / MINUTE), "minute");
  if (distance < DAY) return format.format(Math.round(seconds / HOUR), "hour");
  if (distance < 30 * DAY) return format.format(Math.round(seconds / DAY), "day");
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "medium" }).format(new Date(iso));
}

/** The exact time in the viewer's zone, with the zone. */
export function exactTime(iso: string): string {
  const parts: Intl.DateTimeFormatOptions = {
    year: "numeric",
    month: "short",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  };
  return new Intl.DateTimeFormat(currentLanguage(), parts).format(new Date(iso));
}

/** A short clock time for log lines. */
export function clockTime(iso: string): string {
  const parts: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  return new Intl.DateTimeFormat(currentLanguage(), { ...parts, month: "short", day: "2-digit" }).format(new Date(iso));
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && value < 100 ? 1 : 0;
  return `${formatNumber(value, { maximumFractionDigits: digits })} ${UNITS[unit]}`;
}

export function formatDuration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < MINUTE) return `${formatNumber(seconds, { maximumFractionDigits: seconds < 10 ? 1 : 0 })} s`;
  const [days, hours] = [Math.floor(seconds / DAY), Math.floor((seconds % DAY) / HOUR)];
  const minutes = Math.floor((seconds % HOUR) / MINUTE);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return `${minutes} min ${Math.round(seconds % MINUTE)} s`;
}

export function formatPercent(value: number): string {
  return `${formatNumber(value, { maximumFractionDigits: 0 })} %`;
}

/** The last characters of an id: the first ones are a time and look alike. */
export function shortId(id: string): string {
  return id.slice(-12);
}

/** A fingerprint in groups, so that two people can compare it aloud. */
export function groupFingerprint(fingerprint: string): string {
  return (fingerprint.match(/.{1,8}/g) ?? []).join(" ");
}

export function deviceLabel(device: { display_name?: string | null; device_id: string }): string {
  return device.display_name || shortId(device.device_id);
}
