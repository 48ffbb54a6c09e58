// A configuration as it is, YAML or JSON, in an editor that only reads: search, folding, selection. The editor is loaded with the
// first one that is looked at.

import { lazy, Suspense } from 'react';
import type { Json } from '../api/types.ts';
import { useUrlParam } from '../url.ts';
import { Choice } from './Choice.tsx';
import { Waiting } from './EmptyState.tsx';
import { toYaml } from './yaml.ts';

const CodeView = lazy(() => import('./CodeView.tsx').then(({ CodeView: View }) => ({ default: View })));
const CodeMerge = lazy(() => import('./CodeMerge.tsx').then(({ CodeMerge: View }) => ({ default: View })));

export type Format = 'yaml' | 'json';

const FORMATS = [
  { value: 'yaml', title: 'YAML' },
  { value: 'json', title: 'JSON' },
] as const;

export function useFormat(): Format {
  const [format] = useUrlParam('format', 'yaml');
  return format === 'json' ? 'json' : 'yaml';
}

export function FormatChoice() {
  const [, setFormat] = useUrlParam('format', 'yaml');
  return <Choice label="Format" options={FORMATS} value={useFormat()} onChange={setFormat} />;
}

export function textOf(value: Json, format: Format): string {
  return format === 'json' ? JSON.stringify(value, null, 2) : toYaml(value);
}

export function RawConfig({ label, value }: { label: string; value: Json }) {
  const format = useFormat();
  return (
    <Suspense fallback={<Waiting />}>
      <CodeView label={label} text={textOf(value, format)} format={format} />
    </Suspense>
  );
}

/** Two of them side by side, with what differs marked. */
export function RawConfigs({ label, before, after }: { label: string; before: Json; after: Json }) {
  const format = useFormat();
  return (
    <Suspense fallback={<Waiting />}>
      <CodeMerge
        label={label}
        before={textOf(before, format)}
        after={textOf(after, format)}
        format={format}
      />
    </Suspense>
  );
}

export function DownloadButton({ name, value }: { name: string; value: Json }) {
  const format = useFormat();
  const download = (): void => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([textOf(value, format)], { type: 'text/plain' }));
    link.download = `${name.replaceAll(/[^\w.-]+/g, '_')}.${format}`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <button type="button" className="button" onClick={download}>
      Download
    </button>
  );
}
