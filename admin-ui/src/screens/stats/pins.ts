// Which stats are pinned: in the URL, so that a link shows them, one a line.

import { useCallback } from 'react';
import { useUrlParam } from '../../url.ts';

/** More charts at once are no overview any more. */
const MAX_PINS = 6;

export function usePins(): { readonly pins: readonly string[]; readonly toggle: (name: string) => void } {
  const [text, setText] = useUrlParam('pins');
  const pins = text === '' ? [] : text.split('\n');
  const toggle = useCallback(
    (name: string) => {
      const before = text === '' ? [] : text.split('\n');
      const after = before.includes(name)
        ? before.filter((each) => each !== name)
        : [...before, name].slice(-MAX_PINS);
      setText(after.join('\n'));
    },
    [text, setText],
  );
  return { pins, toggle };
}
