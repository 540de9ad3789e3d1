import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { FileArchive, UploadCloud } from "lucide-react";
import { useRef, useState } from "react";
import { bundles } from "@/api/bundles";
import { type UploadProgress, uploadBundle } from "@/api/upload";
import { type Preview, readManifest } from "@/lib/archive";
import { cli } from "@/lib/commands";
import { formatBytes, formatDuration } from "@/lib/format";
import { t, word } from "@/lib/i18n";
import { newKey } from "@/lib/keys";
import { factsOf, problemsOf } from "@/lib/manifest";
import { paths } from "@/lib/paths";
import { ProgressBar } from "@/ui/bar";
import { Button } from "@/ui/button";
import { Fact, Facts } from "@/ui/card";
import { cx } from "@/ui/classes";
import { CodeBlock } from "@/ui/copy";
import { Dialog } from "@/ui/dialog";
import { FailureNote } from "@/ui/failure";
import { toast } from "@/ui/toast";

interface Chosen {
  file: File;
  preview: Preview;
  /** The same name and version is there already. */
  isTaken: boolean;
  /** One key per chosen file, so that a second try of the same upload is recognised. */
  key: string;
}

export function UploadDialog({ onClose }: { onClose: () => void }) {
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const [progress, setProgress] = useState<UploadProgress | null>(null);
  const [error, setError] = useState<unknown>(null);
  const abort = useRef<AbortController | null>(null);
  const client = useQueryClient();
  const navigate = useNavigate();

  const choose = async (file: File) => {
    setError(null);
    const preview = await readManifest(file);
    setChosen({ file, preview, isTaken: await isTaken(preview), key: newKey() });
  };
  const isTaken = async (preview: Preview): Promise<boolean> => {
    if (preview.kind !== "manifest") return false;
    const { name, version } = factsOf(preview.manifest);
    const known = await client.fetchQuery(bundles({ name }, { limit: 200 })).catch(() => undefined);
    return known?.bundles.some((bundle) => bundle.name === name && bundle.version === version) ?? false;
  };
  const send = async ({ file, key }: Chosen) => {
    const control = new AbortController();
    abort.current = control;
    setError(null);
    setProgress({ sentBytes: 0, totalBytes: file.size, bytesPerSecond: 0 });
    try {
      const bundle = await uploadBundle(file, key, control.signal, setProgress);
      await client.invalidateQueries({ queryKey: ["bundles"] });
      await client.invalidateQueries({ queryKey: ["stats"] });
      toast(t("upload.done", { bundle: `${bundle.name} ${bundle.version}` }));
      await navigate(paths.bundle(bundle.bundle_id));
    } catch (failure) {
      setProgress(null);
      if (!control.signal.aborted) setError(failure);
    }
  };
  const close = () => {
    abort.current?.abort();
    onClose();
  };
  const isRefused = chosen !== null && (chosen.isTaken || isBroken(chosen.preview));
  return (
    <Dialog open onClose={close} title={t("bundles.upload")} description={t("upload.lead")}>
      <div className="grid gap-4">
        {progress === null && <DropZone onFile={(file) => void choose(file)} compact={chosen !== null} />}
        {chosen !== null && <ChosenFile chosen={chosen} />}
        {progress !== null && <Sending progress={progress} />}
        <FailureNote error={error} title={t("upload.failed")} />
        {chosen === null && <CodeBlock code={cli("bundle", "push", "./my-bundle")} label={t("commands.cli")} />}
        <div className="flex justify-end gap-2">
          {progress === null ? (
            <Button onClick={close}>{t("action.cancel")}</Button>
          ) : (
            <Button onClick={() => abort.current?.abort()}>{t("upload.stop")}</Button>
          )}
          <Button
            kind="primary"
            disabled={chosen === null || isRefused}
            busy={progress !== null}
            onClick={() => chosen !== null && void send(chosen)}
          >
            {t(error === null ? "upload.submit" : "upload.again")}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

function isBroken(preview: Preview): boolean {
  return preview.kind === "broken" || (preview.kind === "manifest" && problemsOf(factsOf(preview.manifest)).length > 0);
}

function DropZone({ onFile, compact }: { onFile: (file: File) => void; compact: boolean }) {
  const [isOver, setOver] = useState(false);
  return (
    <label
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const file = event.dataTransfer.files[0];
        if (file !== undefined) onFile(file);
      }}
      className={cx(
        "grid cursor-pointer justify-items-center gap-1.5 rounded-xl border-2 border-dashed px-4 text-center transition-colors has-focus-visible:outline-2 has-focus-visible:outline-accent",
        compact ? "py-3" : "py-9",
        isOver ? "border-accent bg-accent-soft" : "border-line-strong hover:bg-hover/60",
      )}
    >
      {!compact && <UploadCloud aria-hidden="true" size={22} className="text-muted" />}
      <span className="font-medium">{t(compact ? "upload.other" : "upload.drop")}</span>
      {!compact && <span className="text-xs text-muted">.tar.gz, .tar.zst</span>}
      <input
        type="file"
        accept=".gz,.tgz,.zst,.tzst"
        className="sr-only"
        onChange={(event) => {
          const file = event.target.files?.[0];
          if (file !== undefined) onFile(file);
          event.target.value = "";
        }}
      />
    </label>
  );
}

function ChosenFile({ chosen: { file, preview, isTaken } }: { chosen: Chosen }) {
  return (
    <section aria-label={file.name} className="grid gap-3 rounded-xl border border-line p-4">
      <p className="flex items-center gap-2.5">
        <FileArchive aria-hidden="true" size={16} className="shrink-0 text-muted" />
        <span className="min-w-0 flex-1 truncate font-medium">{file.name}</span>
        <span className="tabular text-muted">{formatBytes(file.size)}</span>
      </p>
      {preview.kind === "unreadable" && <p className="text-muted">{t("upload.unreadable")}</p>}
      {preview.kind === "broken" && (
        <p role="alert" className="text-bad">
          {word("upload", preview.reason)}
        </p>
      )}
      {preview.kind === "manifest" && <ManifestPreview manifest={preview.manifest} />}
      {isTaken && (
        <p role="alert" className="text-bad">
          {t("upload.taken")}
        </p>
      )}
    </section>
  );
}

function ManifestPreview({ manifest }: { manifest: Record<string, unknown> }) {
  const facts = factsOf(manifest);
  return (
    <>
      <Facts>
        <Fact label={t("bundles.bundle")}>
          {facts.name} <span className="font-mono text-[0.8125rem]">{facts.version}</span>
        </Fact>
        {facts.description !== null && <Fact label={t("bundles.description")}>{facts.description}</Fact>}
        {facts.deviceTypes.length > 0 && <Fact label={t("bundles.deviceTypes")}>{facts.deviceTypes.join(", ")}</Fact>}
        {facts.arch.length > 0 && <Fact label={t("bundles.arch")}>{facts.arch.join(", ")}</Fact>}
      </Facts>
      {problemsOf(facts).map((problem) => (
        <p key={problem} role="alert" className="text-bad">
          {word("upload", problem)}
        </p>
      ))}
    </>
  );
}

function Sending({ progress }: { progress: UploadProgress }) {
  const { sentBytes, totalBytes, bytesPerSecond } = progress;
  const percent = totalBytes === 0 ? 0 : (sentBytes / totalBytes) * 100;
  const left = bytesPerSecond === 0 ? null : (totalBytes - sentBytes) / bytesPerSecond;
  return (
    <div className="grid gap-1.5" role="status">
      <ProgressBar percent={percent} label={t("upload.sending")} />
      <p className="tabular flex justify-between gap-3 text-xs text-muted">
        <span>
          {formatBytes(sentBytes)} / {formatBytes(totalBytes)} · {formatBytes(bytesPerSecond)}/s
        </span>
        <span>
          {percent >= 100 ? t("upload.checking") : left !== null && t("upload.left", { time: formatDuration(left) })}
        </span>
      </p>
    </div>
  );
}
