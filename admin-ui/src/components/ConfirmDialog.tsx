// Asks before something is changed: says what will happen, and to what.

import { Dialog } from '@base-ui/react/dialog';
import { type ReactNode, useState } from 'react';
import { toast } from './Toasts.tsx';

interface Props {
  /** On the button that opens it. */
  readonly action: string;
  readonly title: string;
  readonly children: ReactNode;
  /** What the proxy answered is told when it gives a text. A rejection is shown and the dialog stays. */
  readonly onConfirm: () => Promise<string | undefined>;
  readonly disabled?: boolean;
  readonly dangerous?: boolean;
}

export function ConfirmDialog({
  action,
  title,
  children,
  onConfirm,
  disabled = false,
  dangerous = false,
}: Props) {
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState('');
  const confirm = async (): Promise<void> => {
    setBusy(true);
    try {
      const answer = await onConfirm();
      setOpen(false);
      toast(answer ?? `${action}: done`);
    } catch (error) {
      setFailure((error as Error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog.Root
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        setFailure('');
      }}
    >
      <Dialog.Trigger className="button" disabled={disabled}>
        {action}
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title className="dialog-title">{title}</Dialog.Title>
          <Dialog.Description render={<div className="dialog-text" />}>{children}</Dialog.Description>
          {failure !== '' && (
            <p className="bad" role="alert">
              {failure}
            </p>
          )}
          <div className="dialog-buttons">
            <Dialog.Close className="button">Cancel</Dialog.Close>
            <button
              type="button"
              className={dangerous ? 'button button-danger' : 'button button-primary'}
              disabled={busy}
              onClick={() => void confirm()}
            >
              {action}
            </button>
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
