// Which keys there are.

import { Dialog } from '@base-ui/react/dialog';
import { SCREENS } from '../screens/screens.ts';

const KEYS: readonly (readonly [keys: readonly string[], what: string])[] = [
  [['/'], 'Search and go anywhere (also Ctrl K)'],
  [['f'], 'Filter what the screen shows'],
  [['↑', '↓'], 'From row to row; Enter opens'],
  [['Esc'], 'Close, or clear the filter'],
  [['?'], 'This help'],
];

export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title className="dialog-title">Keyboard</Dialog.Title>
          <table className="keys">
            <tbody>
              {KEYS.map(([keys, what]) => (
                <Row key={what} keys={keys} what={what} />
              ))}
              {SCREENS.map(({ key, title }) => (
                <Row key={title} keys={['g', key]} what={title} />
              ))}
            </tbody>
          </table>
          <div className="dialog-buttons">
            <Dialog.Close className="button">Close</Dialog.Close>
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Row({ keys, what }: { keys: readonly string[]; what: string }) {
  return (
    <tr>
      <th scope="row">{what}</th>
      <td>
        {keys.map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </td>
    </tr>
  );
}
