// Connections from clients, of all workers; each can be asked to go.

import { useState } from 'react';
import { postJson } from '../../api/client.ts';
import type { ConnectionRow } from '../../api/proxyTypes.ts';
import { LIVE_MS } from '../../api/queries.ts';
import { Badge } from '../../components/Badge.tsx';
import { ConfirmDialog } from '../../components/ConfirmDialog.tsx';
import { type Column, PagedTable, TotalNote } from '../../components/DataTable.tsx';
import { EmptyState } from '../../components/EmptyState.tsx';
import { SearchBox } from '../../components/SearchBox.tsx';
import { bytes, count, duration } from '../../format.ts';
import { useUrlParam, useUrlParams } from '../../url.ts';

function columns(canWrite: boolean): readonly Column<ConnectionRow>[] {
  return [
    { id: 'peer', title: 'Peer', width: 5, sort: 'name', text: ({ tls }) => tls?.peer_subject ?? '', cell: ({ name }) => <span className="mono">{name}</span> },
    { id: 'listener', title: 'Listener', width: 12, text: ({ filter_chain }) => filter_chain, cell: ({ listener, filter_chain }) => <>{listener} <span className="quiet">{filter_chain}</span></> },
    { id: 'protocol', title: 'Protocol', width: 4, from: 'medium', cell: ({ protocol, tls }) => <>{protocol} <span className="quiet">{tls?.version}</span></> },
    { id: 'streams', title: 'Active', width: 2, number: true, sort: 'active_streams', cell: ({ active_streams }) => count(active_streams) },
    { id: 'age', title: 'Age', width: 2, number: true, sort: 'age_ms', cell: ({ age_ms }) => duration(age_ms / 1000) },
    { id: 'idle', title: 'Idle', width: 2, number: true, sort: 'idle_ms', from: 'medium', cell: ({ idle_ms }) => duration(idle_ms / 1000) },
    { id: 'received', title: 'Received', width: 2, number: true, sort: 'bytes_received', from: 'wide', cell: ({ bytes_received }) => bytes(bytes_received) },
    { id: 'sent', title: 'Sent', width: 2, number: true, sort: 'bytes_sent', from: 'wide', cell: ({ bytes_sent }) => bytes(bytes_sent) },
    { id: 'worker', title: 'Worker', width: 2, number: true, from: 'wide', cell: ({ worker }) => worker },
    { id: 'drain', title: '', width: 2, cell: (row) => (row.draining ? <Badge tone="warn">draining</Badge> : <Drain row={row} canWrite={canWrite} />) },
  ]; // biome-ignore format: a table
}

export function Connections({ canWrite }: { canWrite: boolean }) {
  const [params, change] = useUrlParams();
  const [search, setSearch] = useUrlParam('search');
  const [total, setTotal] = useState<number>();
  return (
    <>
      <div className="screen-tools">
        <SearchBox
          label="Search connections"
          placeholder="Peer, listener, chain, cluster, server name"
          value={search}
          onChange={setSearch}
        />
        <TotalNote total={total} what="open" />
      </div>
      <PagedTable<ConnectionRow>
        label="Connections"
        path="/api/connections"
        query={{ search }}
        every={LIVE_MS}
        onTotal={setTotal}
        sort={params['sort'] ?? '-age_ms'}
        onSort={(sort) => change({ sort })}
        rowKey={({ id }) => String(id)}
        columns={columns(canWrite)}
        empty={<EmptyState title={search === '' ? 'Nobody is connected' : 'No connection is like that'} />}
      />
    </>
  );
}

function Drain({ row, canWrite }: { row: ConnectionRow; canWrite: boolean }) {
  return (
    <ConfirmDialog
      action="Drain"
      title={`Ask ${row.name} to go?`}
      disabled={!canWrite}
      onConfirm={async () => {
        await postJson(`/api/connections/${row.id}/drain`, {});
        return `${row.name} was asked to go`;
      }}
    >
      <p>
        {row.protocol === 'TCP'
          ? 'The connection is closed, in both directions.'
          : `What is under way (${count(row.active_streams)}) finishes; then the connection closes.`}
      </p>
    </ConfirmDialog>
  );
}
