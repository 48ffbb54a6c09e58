// Resources of a kind by name: what an opened /config_dump file tells of them.

import { useState } from 'react';
import type { ResourceKind, ResourceSummary } from '../api/types.ts';
import { bytes } from '../format.ts';
import { useUrlParam } from '../url.ts';
import { Badge } from './Badge.tsx';
import { type Column, PagedTable, TotalNote } from './DataTable.tsx';
import { EmptyState } from './EmptyState.tsx';
import { ScreenHead } from './ScreenHead.tsx';
import type { Target } from './ScreenLink.tsx';
import { SearchBox } from './SearchBox.tsx';
import { TimeAgo } from './TimeAgo.tsx';

interface Props {
  readonly title: string;
  readonly kind: ResourceKind;
  readonly link: (name: string) => Target;
}

const COLUMNS: readonly Column<ResourceSummary>[] = [
  { id: 'name', title: 'Name', width: 12, sort: 'name', cell: ({ name }) => <span className="mono">{name}</span>, text: ({ name }) => name },
  { id: 'state', title: 'State', width: 3, cell: ({ state }) => (state === 'active' ? <span className="quiet">active</span> : <Badge tone={state === 'rejected' ? 'bad' : 'warn'}>{state}</Badge>) },
  { id: 'version', title: 'Version', width: 5, from: 'medium', cell: ({ version }) => <span className="mono quiet">{version}</span>, text: ({ version }) => version },
  { id: 'size', title: 'Size', width: 2, number: true, sort: 'size_bytes', from: 'medium', cell: ({ size_bytes: size }) => bytes(size) },
  { id: 'updated', title: 'Updated', width: 3, number: true, sort: 'updated_at', cell: ({ updated_at: at }) => <TimeAgo at={at} /> },
]; // biome-ignore format: a table

export function ResourceList({ title, kind, link }: Props) {
  const [search, setSearch] = useUrlParam('search');
  const [sort, setSort] = useUrlParam('sort', 'name');
  const [total, setTotal] = useState<number>();
  return (
    <div className="screen screen-fill">
      <ScreenHead
        title={title}
        note={<TotalNote total={total} what={search === '' ? 'in the file' : 'found'} />}
      >
        <SearchBox label={`Filter ${title.toLowerCase()} by name`} value={search} onChange={setSearch} />
      </ScreenHead>
      <PagedTable
        label={title}
        path="/api/resources"
        query={{ kind, search }}
        columns={COLUMNS}
        rowKey={({ name }) => name}
        link={({ name }) => link(name)}
        sort={sort}
        onSort={setSort}
        onTotal={setTotal}
        empty={
          <EmptyState
            title={search === '' ? 'There are none in this file' : `Nothing has “${search}” in its name`}
          />
        }
      />
    </div>
  );
}
