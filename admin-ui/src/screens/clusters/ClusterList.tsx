// All clusters: which have hosts that are not well, which fail, which are near a limit.

import { useState } from 'react';
import { LIVE_MS } from '../../api/queries.ts';
import { useRates } from '../../api/rates.ts';
import type { ClusterRow } from '../../api/types.ts';
import { type Column, PagedTable, TotalNote } from '../../components/DataTable.tsx';
import { EmptyState } from '../../components/EmptyState.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { SearchBox } from '../../components/SearchBox.tsx';
import { count, percent, rate } from '../../format.ts';
import { useUrlParam } from '../../url.ts';

export function ClusterList() {
  const [search, setSearch] = useUrlParam('search');
  const [sort, setSort] = useUrlParam('sort', 'name');
  const [total, setTotal] = useState<number>();
  const rates = useRates();
  const columns: readonly Column<ClusterRow>[] = [
    { id: 'name', title: 'Cluster', width: 12, sort: 'name', cell: ({ name }) => <span className="mono">{name}</span>, text: ({ name }) => name },
    { id: 'type', title: 'Type', width: 3, from: 'wide', cell: ({ type }) => <span className="quiet">{type}</span> },
    { id: 'hosts', title: 'Hosts', width: 2, number: true, sort: 'unhealthy', cell: (row) => <Hosts row={row} /> },
    { id: 'active', title: 'Active', width: 2, number: true, sort: 'active_requests', from: 'medium', cell: ({ active_requests }) => quietZero(active_requests) },
    { id: 'rate', title: 'Requests', width: 2, number: true, sort: 'requests', cell: ({ name, requests }, at) => rate(rates.of(name, requests, at)) },
    { id: '5xx', title: '5xx', width: 2, number: true, sort: 'responses_5xx', cell: ({ name, responses_5xx: total }, at) => <Failures total={total} perSecond={rates.of(`${name} 5xx`, total, at)} /> },
    { id: 'connect', title: 'Connect failures', width: 4, number: true, sort: 'connect_failures', from: 'medium', cell: ({ connect_failures }) => <Bad value={connect_failures} /> },
    { id: 'fullest', title: 'Fullest limit', width: 3, number: true, sort: 'fullest', from: 'wide', cell: ({ fullest }) => <Fullest breaker={fullest} /> },
  ]; // biome-ignore format: a table
  return (
    <div className="screen screen-fill">
      <ScreenHead
        title="Clusters"
        note={<TotalNote total={total} what={search === '' ? 'in all' : 'found'} />}
      >
        <SearchBox label="Filter clusters by name" value={search} onChange={setSearch} />
      </ScreenHead>
      <PagedTable
        label="Clusters"
        path="/api/clusters"
        query={{ search }}
        every={LIVE_MS}
        columns={columns}
        rowKey={({ name }) => name}
        link={({ name }) => ({ screen: '/clusters', params: { cluster: name } })}
        sort={sort}
        onSort={setSort}
        onTotal={setTotal}
        empty={<Nothing search={search} />}
      />
    </div>
  );
}

function Nothing({ search }: { search: string }) {
  if (search !== '') return <EmptyState title={`No cluster has “${search}” in its name`} />;
  return (
    <EmptyState title="There are no clusters">
      <p>
        They come from the bootstrap’s static_resources or from a control plane. The xDS streams tell whether
        one is connected.
      </p>
    </EmptyState>
  );
}

function Hosts({ row: { type, hosts, healthy, unhealthy } }: { row: ClusterRow }) {
  // Its hosts are where connections were on their way to.
  if (hosts === 0 && type === 'ORIGINAL_DST') return <span className="quiet">any</span>;
  if (hosts === 0) return <span className="warn">none</span>;
  const tone = unhealthy === 0 ? '' : healthy === 0 ? 'bad' : 'warn';
  return (
    <span className={tone}>
      {unhealthy === 0 ? count(hosts) : `${count(hosts - unhealthy)} of ${count(hosts)}`}
    </span>
  );
}

function Failures({ total, perSecond }: { total: number; perSecond: number | null }) {
  if (total === 0) return <span className="quiet">0</span>;
  return (
    <span className={perSecond !== null && perSecond > 0 ? 'bad' : ''}>
      {perSecond === null ? count(total) : rate(perSecond)}
    </span>
  );
}

function Bad({ value }: { value: number }) {
  return <span className={value === 0 ? 'quiet' : 'bad'}>{count(value)}</span>;
}

function Fullest({ breaker: { used, max } }: { breaker: ClusterRow['fullest'] }) {
  if (used === 0) return <span className="quiet">0 %</span>;
  return <span className={used >= max ? 'bad' : used >= max * 0.8 ? 'warn' : ''}>{percent(used, max)}</span>;
}

function quietZero(value: number) {
  return value === 0 ? <span className="quiet">0</span> : count(value);
}
