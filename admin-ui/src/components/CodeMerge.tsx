// Two texts side by side in CodeMirror; what is the same in both is folded.

import { MergeView } from '@codemirror/merge';
import { useEffect, useRef } from 'react';
import { codeSettings } from './codeSettings.ts';
import type { Format } from './RawConfig.tsx';
import { shadowOf } from './shadow.ts';

interface Props {
  readonly label: string;
  readonly before: string;
  readonly after: string;
  readonly format: Format;
}

export function CodeMerge({ label, before, after, format }: Props) {
  const parent = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const root = shadowOf(parent.current as HTMLElement);
    const view = new MergeView({
      a: { doc: before, extensions: codeSettings(`${label}, before`, format) },
      b: { doc: after, extensions: codeSettings(`${label}, after`, format) },
      parent: root,
      root,
      collapseUnchanged: { margin: 3 },
    });
    return () => view.destroy();
  }, [label, before, after, format]);
  return <div className="code" ref={parent} />;
}
