import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Check } from "lucide-react";
import { useState } from "react";
import { bundle as bundleQuery } from "@/api/bundles";
import { createDeployment } from "@/api/deployments";
import { BundleChoice } from "@/features/deployments/bundle-choice";
import { DeviceChoice } from "@/features/deployments/device-choice";
import { cli, curl } from "@/lib/commands";
import { plural, t } from "@/lib/i18n";
import { paths } from "@/lib/paths";
import { Button } from "@/ui/button";
import { Card, Fact, Facts } from "@/ui/card";
import { cx } from "@/ui/classes";
import { CommandLines } from "@/ui/commands";
import { FailureNote } from "@/ui/failure";
import { Field, Input } from "@/ui/field";
import { Page } from "@/ui/page";

const STEPS = ["bundle", "devices", "confirm"] as const;
type Step = (typeof STEPS)[number];

/** A deployment in steps; what was chosen stands in the address, so that back and forward work. */
export function NewDeploymentPage() {
  const search = useSearch({ from: "/app/deployments/new" });
  const navigate = useNavigate({ from: "/deployments/new" });
  const chosen = search.devices?.split(",").filter(Boolean) ?? [];
  const reached = search.bundle === undefined ? 0 : chosen.length === 0 ? 1 : 2;
  const asked = STEPS.indexOf(search.step as Step);
  const step = STEPS[Math.min(asked < 0 ? reached : asked, reached)] ?? "bundle";
  const go = (change: Partial<typeof search>) =>
    void navigate({
      search: (old) => Object.fromEntries(Object.entries({ ...old, ...change }).filter(([, value]) => value)),
    });
  return (
    <Page title={t("deployments.new")}>
      <div className="grid max-w-5xl gap-4">
        <Steps current={step} reached={reached} onGo={(next) => go({ step: next })} />
        {step === "bundle" && (
          <BundleChoice
            chosen={search.bundle}
            onChoose={(bundle) => go({ bundle, step: chosen.length > 0 ? "confirm" : "devices" })}
          />
        )}
        {step === "devices" && (
          <DeviceChoice chosen={chosen} onChoose={(devices) => go({ devices: devices.join(","), step: "confirm" })} />
        )}
        {step === "confirm" && search.bundle !== undefined && <ConfirmStep bundleId={search.bundle} devices={chosen} />}
      </div>
    </Page>
  );
}

function Steps({ current, reached, onGo }: { current: Step; reached: number; onGo: (step: Step) => void }) {
  return (
    <nav aria-label={t("new.steps")}>
      <ol className="flex flex-wrap gap-x-2 gap-y-1">
        {STEPS.map((step, index) => {
          const isDone = index < reached && step !== current;
          return (
            <li key={step}>
              <button
                type="button"
                disabled={index > reached}
                aria-current={step === current ? "step" : undefined}
                onClick={() => onGo(step)}
                className={cx(
                  "flex items-center gap-2 rounded-lg px-2.5 py-1.5 font-medium disabled:cursor-default disabled:text-faint",
                  step === current ? "bg-accent-soft text-accent" : "text-muted enabled:hover:bg-hover",
                )}
              >
                <span className="grid size-5 place-items-center rounded-full border border-current text-xs">
                  {isDone ? <Check aria-hidden="true" size={12} /> : index + 1}
                </span>
                {t(`new.${step}`)}
              </button>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

function ConfirmStep({ bundleId, devices }: { bundleId: string; devices: string[] }) {
  const { data: bundle } = useQuery(bundleQuery(bundleId));
  const [description, setDescription] = useState("");
  const client = useQueryClient();
  const navigate = useNavigate();
  const body = {
    bundle_id: bundleId,
    target_devices: devices,
    ...(description.trim() === "" ? {} : { description: description.trim() }),
  };
  const create = useMutation({
    mutationFn: () => createDeployment(body),
    onSuccess: async (created) => {
      await client.invalidateQueries();
      await navigate(paths.deployment(created.deployment_id));
    },
  });
  const words = devices.flatMap((id) => ["--device", id]);
  return (
    <Card title={t("new.confirm")}>
      <form
        className="grid gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <Facts>
          <Fact label={t("bundles.bundle")}>
            {bundle === undefined ? "…" : bundle.name}{" "}
            <span className="font-mono text-[0.8125rem]">{bundle?.version}</span>
          </Fact>
          <Fact label={t("new.to")}>{plural("devices.count", devices.length)}</Fact>
        </Facts>
        <p className="text-muted">{t("new.what")}</p>
        <Field label={t("new.description")} hint={t("new.descriptionHint")}>
          {(ids) => (
            <Input
              {...ids}
              maxLength={250}
              value={description}
              onChange={(event) => setDescription(event.target.value)}
            />
          )}
        </Field>
        <FailureNote error={create.error} title={t("new.failed")} />
        <div className="flex flex-wrap items-start justify-between gap-3">
          <CommandLines
            cli={cli(
              "deploy",
              bundleId,
              ...words,
              ...(description.trim() ? ["--description", description.trim()] : []),
            )}
            curl={curl("POST", "/api/v1/deployments", body)}
          />
          <Button type="submit" kind="primary" busy={create.isPending}>
            {plural("new.submit", devices.length)}
          </Button>
        </div>
      </form>
    </Card>
  );
}
