import { useState } from "react";
import type { Config, ConfigPatch } from "@/api/devices";
import { changesBetween } from "@/lib/changes";
import { type MessageKey, t } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { Changes } from "@/ui/changes";
import { CommandLines } from "@/ui/commands";
import { FailureNote } from "@/ui/failure";
import { Field, Input, Select, Textarea } from "@/ui/field";

type NumberKey = "polling_interval" | "heartbeat_timeout" | "deploy_timeout" | "max_download_kib_per_sec";

/** The limits are those of the published document; the control plane checks them again. */
const NUMBERS: { key: NumberKey; label: MessageKey; hint: MessageKey; min: number; max: number; optional?: boolean }[] =
  [
    { key: "polling_interval", label: "config.polling", hint: "config.pollingHint", min: 1, max: 86_400 },
    { key: "heartbeat_timeout", label: "config.heartbeat", hint: "config.heartbeatHint", min: 1, max: 300 },
    { key: "deploy_timeout", label: "config.deploy", hint: "config.deployHint", min: 10, max: 86_400 },
    {
      key: "max_download_kib_per_sec",
      label: "config.download",
      hint: "config.downloadHint",
      min: 1,
      max: 10_000_000,
      optional: true,
    },
  ];
const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"] as const;

interface ConfigFormProps {
  config: Config;
  readOnly: boolean;
  busy: boolean;
  error: unknown;
  onSave: (patch: ConfigPatch) => void;
  curlOf: (patch: ConfigPatch) => string;
}

export function ConfigForm({ config, readOnly, busy, error, onSave, curlOf }: ConfigFormProps) {
  const [numbers, setNumbers] = useState(() =>
    Object.fromEntries(NUMBERS.map(({ key }) => [key, config[key]?.toString() ?? ""])),
  );
  const [level, setLevel] = useState(config.log_level);
  const [metadata, setMetadata] = useState(() => JSON.stringify(config.metadata, null, 2));
  const parsed = parseObject(metadata);
  const problems = NUMBERS.map((field) => problemOf(numbers[field.key] ?? "", field));
  const isValid = parsed !== null && problems.every((problem) => problem === null);
  const wanted = {
    ...config,
    ...Object.fromEntries(NUMBERS.flatMap(({ key }) => (numbers[key] ? [[key, Number(numbers[key])]] : []))),
    log_level: level,
    metadata: parsed ?? config.metadata,
  };
  const changes = isValid ? changesBetween(config, wanted) : [];
  const patch = patchOf(config, wanted);
  return (
    <form
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        onSave(patch);
      }}
    >
      <fieldset disabled={readOnly || busy} className="grid gap-4 sm:grid-cols-2">
        {NUMBERS.map((field, index) => (
          <Field key={field.key} label={t(field.label)} hint={t(field.hint)} error={problems[index] ?? null}>
            {(ids) => (
              <Input
                {...ids}
                inputMode="numeric"
                value={numbers[field.key] ?? ""}
                onChange={(event) => setNumbers({ ...numbers, [field.key]: event.target.value.trim() })}
              />
            )}
          </Field>
        ))}
        <Field label={t("config.level")} hint={t("config.levelHint")}>
          {(ids) => (
            <Select {...ids} value={level} onChange={(event) => setLevel(event.target.value as Config["log_level"])}>
              {LEVELS.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </Select>
          )}
        </Field>
        <div className="sm:col-span-2">
          <Field
            label={t("config.metadata")}
            hint={t("config.metadataHint")}
            error={parsed === null ? t("config.noObject") : null}
          >
            {(ids) => (
              <Textarea
                {...ids}
                rows={Math.min(14, metadata.split("\n").length + 1)}
                spellCheck={false}
                value={metadata}
                onChange={(event) => setMetadata(event.target.value)}
                className="font-mono text-xs"
              />
            )}
          </Field>
        </div>
      </fieldset>
      {changes.length > 0 && (
        <section aria-label={t("config.changes")} className="grid gap-2 rounded-lg border border-line bg-sunken p-3">
          <h3 className="text-xs font-medium text-muted">{t("config.changes")}</h3>
          <Changes changes={changes} />
        </section>
      )}
      <FailureNote error={error} title={t("config.notSaved")} />
      {!readOnly && (
        <div className="flex flex-wrap items-start justify-between gap-3">
          {changes.length > 0 ? (
            <CommandLines curl={curlOf(patch)} />
          ) : (
            <span className="text-xs text-muted">{t("config.noChanges")}</span>
          )}
          <Button type="submit" kind="primary" busy={busy} disabled={changes.length === 0}>
            {t("config.save")}
          </Button>
        </div>
      )}
    </form>
  );
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function problemOf(
  text: string,
  { min, max, optional = false }: { min: number; max: number; optional?: boolean },
): string | null {
  if (text === "" && optional) return null;
  const value = Number(text);
  return text !== "" && Number.isInteger(value) && value >= min && value <= max
    ? null
    : t("config.range", { min, max });
}

function patchOf(config: Config, wanted: Config): ConfigPatch {
  const keys = [
    "polling_interval",
    "heartbeat_timeout",
    "deploy_timeout",
    "max_download_kib_per_sec",
    "log_level",
    "metadata",
  ] as const;
  const changed = keys.filter((key) => JSON.stringify(config[key]) !== JSON.stringify(wanted[key]));
  return Object.fromEntries(changed.map((key) => [key, wanted[key]]));
}
