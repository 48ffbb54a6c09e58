// Every version of every resource that came, taken or refused; two of them compared; each in full.

import { useState } from 'react';
import type { HistoryEntry, ResourceSummary } from '../../api/types.ts';
import { Badge } from '../../components/Badge.tsx';
import { Choice, ChoiceList } from '../../components/Choice.tsx';
import { type Column, PagedTable, TotalNote } from '../../components/DataTable.tsx';
import { EmptyState } from '../../components/EmptyState.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { SearchBox } from '../../components/SearchBox.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { Verdict } from '../../components/Verdict.tsx';
import { bytes } from '../../format.ts';
import { useUrlParam, useUrlParams } from '../../url.ts';
import { ResourceScreen } from './ResourceScreen.tsx';
import { VersionScreen } from './VersionScreen.tsx';
import './config.css';

const VIEWS = [
  { value: '', title: 'Versions' },
  { value: 'resources', title: 'Resources' },
] as const;
const KINDS = [
  { value: '', title: 'All kinds' },
  { value: 'listener', title: 'Listeners' },
  { value: 'route', title: 'Routes' },
  { value: 'cluster', title: 'Clusters' },
  { value: 'endpoints', title: 'Endpoints' },
  { value: 'secret', title: 'Secrets' },
  { value: 'extension', title: 'Extensions' },
] as const;

export function Screen() {
  const [params] = useUrlParams();
  const { id, kind, name } = params;
  if (id !== undefined) return <VersionScreen id={Number(id)} />;
  if (kind !== undefined && name !== undefined) return <ResourceScreen kind={kind} name={name} />;
  return <Lists />;
}

function Lists() {
  const [params, change] = useUrlParams();
  const [search, setSearch] = useUrlParam('search');
  const [view, setView] = useUrlParam('view');
  const [kind, setKind] = useUrlParam('kind');
  const [total, setTotal] = useState<number>();
  const { sort = view === 'resources' ? 'name' : '-id', verdict, state } = params;
  const common = {
    onTotal: setTotal,
    sort,
    onSort: (next: string) => change({ sort: next }),
    empty: <EmptyState title={search === '' ? 'Nothing has come yet' : 'Nothing is called that'} />,
  };
  return (
    <div className="screen screen-fill">
      <ScreenHead
        title="Config"
        note={<TotalNote total={total} what={view === 'resources' ? 'resources' : 'versions'} />}
      >
        <SearchBox label="Search by name" value={search} onChange={setSearch} />
        <ChoiceList
          label="Kind"
          options={KINDS}
          value={kind as (typeof KINDS)[number]['value']}
          onChange={setKind}
        />
        <Choice
          label="What is listed"
          options={VIEWS}
          value={view as '' | 'resources'}
          onChange={(next) => {
            setView(next);
            change({ sort: '' });
          }}
        />
      </ScreenHead>
      {view === 'resources' ? (
        <PagedTable<ResourceSummary>
          label="Resources"
          path="/api/resources"
          query={{ search, kind, state }}
          rowKey={(row) => `${row.kind} ${row.name}`}
          link={(row) => ({ params: { kind: row.kind, name: row.name } })}
          columns={RESOURCES}
          {...common}
        />
      ) : (
        <PagedTable<HistoryEntry>
          label="Versions"
          path="/api/history"
          query={{ search, kind, verdict }}
          rowKey={({ id }) => String(id)}
          link={({ id }) => ({ params: { id: String(id) } })}
          columns={VERSIONS}
          {...common}
        />
      )}
    </div>
  );
}

const VERSIONS: readonly Column<HistoryEntry>[] = [
  { id: 'name', title: 'Name', width: 12, sort: 'name', text: ({ name }) => name, cell: ({ name }) => <span className="mono">{name}</span> },
  { id: 'kind', title: 'Kind', width: 2, cell: ({ kind }) => kind },
  { id: 'verdict', title: 'Verdict', width: 2, cell: ({ verdict }) => <Verdict verdict={verdict} /> },
  {
    id: 'reason',
    title: 'Why it was rejected',
    width: 8,
    from: 'wide',
    text: ({ path, reason }) => [path, reason].filter(Boolean).join(': '),
    cell: ({ path, reason }) => <span className="bad">{[path, reason].filter(Boolean).join(': ')}</span>,
  },
  { id: 'version', title: 'Version', width: 3, from: 'medium', text: ({ version }) => version, cell: ({ version }) => <span className="mono quiet">{version}</span> },
  { id: 'source', title: 'From', width: 3, from: 'wide', cell: ({ source }) => <span className="quiet">{source}</span> },
  { id: 'at', title: 'When', width: 3, number: true, sort: 'id', cell: ({ at }) => <TimeAgo at={at} /> },
]; // biome-ignore format: a table

const RESOURCES: readonly Column<ResourceSummary>[] = [
  { id: 'name', title: 'Name', width: 12, sort: 'name', text: ({ name }) => name, cell: ({ name }) => <span className="mono">{name}</span> },
  { id: 'kind', title: 'Kind', width: 2, cell: ({ kind }) => kind },
  { id: 'state', title: 'State', width: 4, cell: (row) => <State row={row} /> },
  { id: 'version', title: 'Version', width: 3, from: 'medium', text: ({ version }) => version, cell: ({ version }) => <span className="mono quiet">{version}</span> },
  { id: 'size', title: 'Size', width: 2, number: true, sort: 'size_bytes', from: 'medium', cell: ({ size_bytes }) => bytes(size_bytes) },
  { id: 'updated', title: 'Updated', width: 3, number: true, sort: 'updated_at', cell: ({ updated_at }) => <TimeAgo at={updated_at} /> },
]; // biome-ignore format: a table

function State({ row: { state, warming, rejection, static: fixed } }: { row: ResourceSummary }) {
  return (
    <>
      {state === 'active' ? (
        <span className="quiet">{fixed ? 'static' : 'active'}</span>
      ) : (
        <Badge tone={state === 'rejected' ? 'bad' : 'warn'}>{state}</Badge>
      )}{' '}
      {warming && state !== 'warming' && <Badge tone="warn">newer one warming</Badge>}{' '}
      {rejection !== undefined && state !== 'rejected' && <Badge tone="bad">newer one rejected</Badge>}
    </>
  );
}
