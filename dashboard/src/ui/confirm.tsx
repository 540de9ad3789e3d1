import { type ReactNode, useState } from "react";
import { t } from "@/lib/i18n";
import { Button } from "@/ui/button";
import { CommandLines, type Commands } from "@/ui/commands";
import { Dialog } from "@/ui/dialog";
import { FailureNote } from "@/ui/failure";
import { Field, Input } from "@/ui/field";

interface ConfirmProps {
  open: boolean;
  onClose: () => void;
  title: string;
  /** What will happen, and to how much. */
  extent: ReactNode;
  action: string;
  danger?: boolean;
  /** Must be typed first, where there is no way back. */
  phrase?: string | undefined;
  commands?: Commands;
  onConfirm: () => Promise<unknown>;
}

/** Asks before an act that others feel, says its extent, and stays open with the reason when it fails. */
export function Confirm(props: ConfirmProps) {
  return (
    <Dialog open={props.open} onClose={props.onClose} title={props.title}>
      {props.open && <ConfirmForm {...props} />}
    </Dialog>
  );
}

function ConfirmForm({ onClose, extent, action, danger = false, phrase, commands, onConfirm }: ConfirmProps) {
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const submit = async () => {
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <form
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <div className="grid gap-2 text-sm leading-relaxed">{extent}</div>
      {phrase !== undefined && (
        <Field label={t("confirm.type", { phrase })}>
          {(ids) => (
            <Input {...ids} autoComplete="off" value={typed} onChange={(event) => setTyped(event.target.value)} />
          )}
        </Field>
      )}
      <FailureNote error={error} title={t("confirm.notDone")} />
      {commands !== undefined && <CommandLines {...commands} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{t("action.cancel")}</Button>
        <Button
          type="submit"
          kind={danger ? "danger" : "primary"}
          busy={busy}
          disabled={phrase !== undefined && typed !== phrase}
        >
          {action}
        </Button>
      </div>
    </form>
  );
}
