// The list of kept requests.

import { useState } from 'react';
import { LIVE_MS } from '../../api/queries.ts';
import type { RequestSet, RequestSummary } from '../../api/requestTypes.ts';
import { Choice } from '../../components/Choice.tsx';
import { type Column, PagedTable, TotalNote } from '../../components/DataTable.tsx';
import { EmptyState } from '../../components/EmptyState.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { SearchBox } from '../../components/SearchBox.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { milliseconds } from '../../format.ts';
import { useUrlParam, useUrlParams } from '../../url.ts';
import { Capture } from './Capture.tsx';
import { Flags, Status } from './Status.tsx';
import './traffic.css';

const SETS = [
  { value: '', title: 'All' },
  { value: 'failed', title: 'Failed' },
  { value: 'slow', title: 'Slowest' },
  { value: 'live', title: 'Live' },
] as const;

const COLUMNS: readonly Column<RequestSummary>[] = [
  {
    id: 'request',
    title: 'Request',
    width: 12,
    text: ({ method, authority, path }) => `${method} ${authority}${path}`,
    cell: ({ method, authority, path }) => (
      <span className="mono">
        {method} <span className="quiet">{authority}</span>
        {path}
      </span>
    ),
  },
  { id: 'status', title: 'Status', width: 1, sort: 'status', cell: (row) => <Status status={row.status} /> },
  {
    id: 'flags',
    title: 'Flags',
    width: 2,
    text: ({ details }) => details,
    cell: ({ flags }) => <Flags flags={flags} />,
  },
  {
    id: 'details',
    title: 'Details',
    width: 6,
    from: 'wide',
    text: ({ details }) => details,
    cell: ({ details }) => <span className="mono quiet">{details}</span>,
  },
  {
    id: 'cluster',
    title: 'Cluster and host',
    width: 6,
    from: 'medium',
    text: ({ cluster, host }) => `${cluster} ${host}`,
    cell: ({ cluster, host }) => (
      <span className="mono">
        {cluster === '' ? <span className="quiet">none</span> : cluster} <span className="quiet">{host}</span>
      </span>
    ),
  },
  {
    id: 'duration',
    title: 'Took',
    width: 2,
    number: true,
    sort: 'duration_ms',
    cell: ({ duration_ms }) => milliseconds(duration_ms),
  },
  {
    id: 'at',
    title: 'When',
    width: 3,
    number: true,
    sort: 'at',
    from: 'medium',
    cell: ({ at }) => <TimeAgo at={at} />,
  },
];

export function RequestList() {
  const [params, change] = useUrlParams();
  const [search, setSearch] = useUrlParam('search');
  const [set, setSet] = useUrlParam('set');
  const [total, setTotal] = useState<number>();
  const { sort = '-at', flag, cluster, status } = params;
  const narrowed = [flag, cluster, status].filter((value) => value !== undefined);
  return (
    <div className="screen screen-fill">
      <ScreenHead title="Traffic" note={<TotalNote total={total} what="kept" />}>
        <SearchBox
          label="Search requests"
          placeholder="Path, host, cluster, flag, request id"
          value={search}
          onChange={setSearch}
        />
        <Choice label="Which requests" options={SETS} value={set as RequestSet | ''} onChange={setSet} />
      </ScreenHead>
      <Capture />
      {narrowed.length > 0 && (
        <p className="quiet">
          Only those with {narrowed.join(', ')}.{' '}
          <button
            type="button"
            className="link-button"
            onClick={() => change({ flag: '', cluster: '', status: '' })}
          >
            Show all
          </button>
        </p>
      )}
      <PagedTable<RequestSummary>
        label="Kept requests"
        path="/api/requests"
        query={{ search, set, flag, cluster, status }}
        every={LIVE_MS}
        onTotal={setTotal}
        sort={sort}
        onSort={(next) => change({ sort: next === '-at' ? '' : next })}
        rowKey={({ id }) => id}
        link={({ id }) => ({ params: { request: id }, keep: true })}
        columns={COLUMNS}
        empty={<Nothing set={set} narrowed={search !== '' || narrowed.length > 0} />}
      />
    </div>
  );
}

function Nothing({ set, narrowed }: { set: string; narrowed: boolean }) {
  if (narrowed) return <EmptyState title="No kept request is like that" />;
  if (set === 'live') return <EmptyState title="No live requests">Watch the traffic to see some.</EmptyState>;
  if (set === 'failed') {
    return (
      <EmptyState title="No request has failed">
        Each worker keeps the last 100 requests that were answered with 5xx or that the proxy refused itself.
      </EmptyState>
    );
  }
  return <EmptyState title="No request has come yet" />;
}
