// All listeners: where they listen and how many connections they have.

import { useState } from 'react';
import { LIVE_MS } from '../../api/queries.ts';
import { useRates } from '../../api/rates.ts';
import type { ListenerRow } from '../../api/types.ts';
import { type Column, PagedTable, TotalNote } from '../../components/DataTable.tsx';
import { EmptyState } from '../../components/EmptyState.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { SearchBox } from '../../components/SearchBox.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { count, rate } from '../../format.ts';
import { useUrlParam } from '../../url.ts';

export function ListenerList() {
  const [search, setSearch] = useUrlParam('search');
  const [sort, setSort] = useUrlParam('sort', 'name');
  const [total, setTotal] = useState<number>();
  const rates = useRates();
  const columns: readonly Column<ListenerRow>[] = [
    { id: 'name', title: 'Listener', width: 12, sort: 'name', cell: ({ name }) => <span className="mono">{name}</span>, text: ({ name }) => name },
    { id: 'address', title: 'Address', width: 5, cell: ({ addresses }) => <span className="mono">{addresses.join(', ')}</span>, text: ({ addresses }) => addresses.join(', ') },
    { id: 'direction', title: 'Direction', width: 3, from: 'wide', cell: ({ direction }) => <span className="quiet">{direction === 'UNSPECIFIED' ? '–' : direction.toLowerCase()}</span> },
    { id: 'filters', title: 'Handled by', width: 5, from: 'medium', cell: (row) => <span className="quiet">{row.network_filters.map(shortName).join(', ') || 'nothing'}</span>, text: (row) => row.network_filters.join(', ') },
    { id: 'chains', title: 'Chains', width: 2, number: true, from: 'medium', cell: (row) => count(row.filter_chains) },
    { id: 'open', title: 'Open', width: 2, number: true, cell: ({ connections }) => <span className={connections === 0 ? 'quiet' : ''}>{count(connections)}</span> },
    { id: 'rate', title: 'New', width: 2, number: true, from: 'medium', cell: ({ name, connections_total: total }, at) => rate(rates.of(name, total, at)) },
    { id: 'no-match', title: 'No chain', width: 2, number: true, from: 'wide', cell: (row) => <span className={row.no_filter_chain_match === 0 ? 'quiet' : 'bad'}>{count(row.no_filter_chain_match)}</span> },
    { id: 'updated', title: 'Updated', width: 3, number: true, from: 'wide', cell: (row) => <TimeAgo at={row.updated_at} /> },
  ]; // biome-ignore format: a table
  return (
    <div className="screen screen-fill">
      <ScreenHead
        title="Listeners"
        note={<TotalNote total={total} what={search === '' ? 'in all' : 'found'} />}
      >
        <SearchBox label="Filter listeners by name" value={search} onChange={setSearch} />
      </ScreenHead>
      <PagedTable
        label="Listeners"
        path="/api/listeners"
        query={{ search }}
        every={LIVE_MS}
        columns={columns}
        rowKey={({ name }) => name}
        link={({ name }) => ({ screen: '/listeners', params: { listener: name } })}
        sort={sort}
        onSort={setSort}
        onTotal={setTotal}
        empty={
          search === '' ? (
            <EmptyState title="There are no listeners">
              <p>
                This proxy takes no traffic. Listeners come from the bootstrap’s static_resources or from a
                control plane.
              </p>
            </EmptyState>
          ) : (
            <EmptyState title={`No listener has “${search}” in its name`} />
          )
        }
      />
    </div>
  );
}

/** What people call the filters that nearly every chain ends with. */
function shortName(type: string): string {
  return type === 'HttpConnectionManager' ? 'HTTP' : type === 'TcpProxy' ? 'TCP' : type;
}
