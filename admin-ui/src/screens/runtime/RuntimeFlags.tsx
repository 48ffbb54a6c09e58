// Envoy's /runtime: keys with their values layer by layer; the admin layer can be changed.

import { type FormEvent, useState } from 'react';
import { postText } from '../../api/client.ts';
import type { RuntimeAnswer } from '../../api/proxyTypes.ts';
import { queryClient, useAnswer } from '../../api/queries.ts';
import { ListTable } from '../../components/DataTable.tsx';
import { EmptyState, NoAnswer } from '../../components/EmptyState.tsx';
import { toast } from '../../components/Toasts.tsx';

export function RuntimeFlags({ canWrite }: { canWrite: boolean }) {
  const { data, error } = useAnswer<RuntimeAnswer>('/runtime');
  if (data === undefined) return <NoAnswer error={error} />;
  const rows = Object.entries(data.entries).map(([name, entry]) => ({ name, ...entry }));
  return (
    <>
      {data.layers.includes('admin') ? (
        <SetFlag canWrite={canWrite} />
      ) : (
        <p className="quiet">
          The bootstrap&rsquo;s <code>layered_runtime</code> has no admin layer, so nothing can be changed
          here.
        </p>
      )}
      <ListTable
        label="Runtime flags"
        rows={rows}
        rowKey={({ name }) => name}
        compact
        empty={<EmptyState title="No layer sets anything" />}
        columns={[
          { id: 'name', title: 'Key', width: 12, cell: ({ name }) => <span className="mono">{name}</span> },
          {
            id: 'value',
            title: 'Value',
            width: 4,
            cell: ({ final_value: value }) => <span className="mono">{value}</span>,
          },
          ...data.layers.map((layer, place) => ({
            id: `layer ${layer}`,
            title: layer,
            width: 4 as const,
            from: 'medium' as const,
            cell: ({ layer_values: values }: (typeof rows)[number]) => (
              <span className="mono quiet">{values[place]}</span>
            ),
          })),
        ]}
      />
    </>
  );
}

function SetFlag({ canWrite }: { canWrite: boolean }) {
  const [key, setKey] = useState('');
  const [value, setValue] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    postText('/runtime_modify', { [key]: value }).then(
      async (answer) => {
        toast(answer.trim());
        await queryClient.invalidateQueries({ queryKey: ['/runtime'] });
      },
      (error: Error) => toast(error.message, 'bad'),
    );
  };
  return (
    <form className="screen-tools" onSubmit={submit}>
      <label className="choice-list">
        <span className="quiet">Key</span>
        <input
          className="field mono"
          value={key}
          onChange={(event) => setKey(event.target.value)}
          spellCheck={false}
        />
      </label>
      <label className="choice-list">
        <span className="quiet">Value</span>
        <input
          className="field mono"
          value={value}
          onChange={(event) => setValue(event.target.value)}
          spellCheck={false}
        />
      </label>
      <button type="submit" className="button" disabled={!canWrite || key === '' || value === ''}>
        Set
      </button>
    </form>
  );
}
