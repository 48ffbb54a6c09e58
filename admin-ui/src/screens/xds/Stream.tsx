// One stream to a control plane, with a row for each type that it subscribes to.

import { useState } from 'react';
import type { XdsStream, XdsSubscription } from '../../api/xdsTypes.ts';
import { Badge } from '../../components/Badge.tsx';
import { type Column, ListTable } from '../../components/DataTable.tsx';
import { EmptyState } from '../../components/EmptyState.tsx';
import { KeyValues } from '../../components/KeyValues.tsx';
import { Section } from '../../components/Section.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { count } from '../../format.ts';

const TYPES: readonly Column<XdsSubscription>[] = [
  { id: 'type', title: 'Type', width: 5, text: ({ type_url }) => type_url, cell: ({ type_url }) => <span className="mono">{type_url.split('.').at(-1)}</span> },
  { id: 'asked', title: 'Subscribed', width: 3, cell: ({ wildcard, names }) => (wildcard ? 'all' : count(names.length)) },
  { id: 'version', title: 'Version', width: 5, from: 'medium', text: ({ version }) => version, cell: ({ version }) => <span className="mono">{version}</span> },
  { id: 'nonce', title: 'Nonce', width: 4, from: 'wide', text: ({ nonce }) => nonce, cell: ({ nonce }) => <span className="mono quiet">{nonce}</span> },
  { id: 'acks', title: 'ACK', width: 1, number: true, cell: ({ acks }) => count(acks) },
  { id: 'nacks', title: 'NACK', width: 1, number: true, cell: ({ nacks }) => (nacks > 0 ? <span className="bad">{count(nacks)}</span> : '0') },
  { id: 'at', title: 'Last', width: 3, number: true, from: 'medium', cell: ({ last_ack_at: ack = 0, last_nack_at: nack = 0 }) => <TimeAgo at={Math.max(ack, nack)} /> },
  { id: 'error', title: 'Refused now', width: 12, from: 'wide', text: ({ last_error = '' }) => last_error, cell: ({ last_error = '' }) => <span className="bad">{last_error}</span> },
]; // biome-ignore format: a table

export function Stream({ stream }: { stream: XdsStream }) {
  return (
    <Section
      title={stream.target}
      note={
        <>
          <Badge tone={stream.connected ? 'good' : 'bad'}>
            {stream.connected ? 'connected' : 'disconnected'}
          </Badge>{' '}
          {stream.method.split('/').at(-1)}
        </>
      }
      className="xds-stream"
    >
      <KeyValues
        items={[
          [
            'Connected',
            stream.connected_at === undefined ? undefined : <TimeAgo key="at" at={stream.connected_at} />,
          ],
          ['Dialect', stream.dialect === 'delta' ? 'delta' : 'state of the world'],
          ['Control plane', stream.control_plane],
          ['Streams opened', count(stream.streams)],
          ['Last disconnect', stream.last_disconnect],
        ]}
      />
      <ListTable
        label={`Subscriptions at ${stream.target}`}
        rows={stream.types}
        rowKey={({ type_url }) => type_url}
        columns={TYPES}
        compact
        empty={<EmptyState title="It has subscribed to nothing yet" />}
      />
      {stream.types
        .filter(({ wildcard, names }) => !wildcard && names.length > 0)
        .map((type) => (
          <Names key={type.type_url} type={type} />
        ))}
    </Section>
  );
}

/** More are not for reading, and are in /api/xds/streams. */
const MAX_NAMES = 1_000;

function Names({ type }: { type: XdsSubscription }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {type.type_url.split('.').at(-1)}: {count(type.names.length)} by name
      </summary>
      {open && (
        <ul className="xds-names mono">
          {type.names.slice(0, MAX_NAMES).map((name) => (
            <li key={name}>{name}</li>
          ))}
        </ul>
      )}
    </details>
  );
}
