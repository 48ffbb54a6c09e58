// A text in CodeMirror, to read and search.

import { EditorState } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { useEffect, useRef } from 'react';
import { codeSettings } from './codeSettings.ts';
import type { Format } from './RawConfig.tsx';
import { shadowOf } from './shadow.ts';

export function CodeView({ label, text, format }: { label: string; text: string; format: Format }) {
  const parent = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const state = EditorState.create({ doc: text, extensions: codeSettings(label, format) });
    const root = shadowOf(parent.current as HTMLElement);
    const view = new EditorView({ state, parent: root, root });
    return () => view.destroy();
  }, [label, text, format]);
  return <div className="code" ref={parent} />;
}
