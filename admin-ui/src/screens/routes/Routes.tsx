// Routes as rules: which requests go where, which rule is never reached, and what a request that is typed in would take.

import { useState } from 'react';
import { openDump } from '../../api/dump.ts';
import type { RouteRow } from '../../api/types.ts';
import { Badge } from '../../components/Badge.tsx';
import { Choice } from '../../components/Choice.tsx';
import { type Column, PagedTable, TotalNote } from '../../components/DataTable.tsx';
import { EmptyState } from '../../components/EmptyState.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { ScreenLink } from '../../components/ScreenLink.tsx';
import { SearchBox } from '../../components/SearchBox.tsx';
import { count, plural } from '../../format.ts';
import { useUrlParam, useUrlParams } from '../../url.ts';
import { RouteDetail } from './RouteDetail.tsx';
import { TryRequest } from './TryRequest.tsx';
import './routes.css';

export function Screen() {
  const [{ route }] = useUrlParams();
  return route === undefined ? <RouteList /> : <RouteDetail key={route} name={route} />;
}

const COLUMNS: readonly Column<RouteRow>[] = [
  { id: 'match', title: 'Requests', width: 12, sort: 'order', cell: (row) => <Match row={row} />, text: ({ domains, match }) => `${domains.join(', ')} ${match}` },
  { id: 'action', title: 'Go to', width: 6, cell: ({ action }) => <span className="mono">{action}</span>, text: ({ action }) => action },
  { id: 'hits', title: 'Hits', width: 2, number: true, sort: 'hits', cell: ({ hits }) => <Hits hits={hits} />, text: () => 'Requests that took it' },
  { id: 'host', title: 'Virtual host', width: 5, from: 'medium', cell: ({ virtual_host: host }) => host, text: ({ virtual_host: host, domains }) => `${host}: ${domains.join(', ')}` },
  { id: 'config', title: 'Configuration', width: 4, from: 'medium', cell: (row) => <span className="mono quiet">{row.route_config}</span>, text: configOf },
]; // biome-ignore format: a table

function RouteList() {
  const [params, change] = useUrlParams();
  const [search, setSearch] = useUrlParam('search');
  const [shadowed, setShadowed] = useUrlParam('shadowed', 'all');
  const [total, setTotal] = useState<number>();
  const [sort, setSort] = useUrlParam('sort', 'order');
  const { route_config: config, virtual_host: host } = params;
  return (
    <div className="screen screen-fill">
      <ScreenHead title="Routes" note={<TotalNote total={total} what={search === '' ? 'in all' : 'found'} />}>
        <Choice
          label="Which"
          value={shadowed}
          onChange={setShadowed}
          options={[
            { value: 'all', title: 'All' },
            { value: 'true', title: 'Never reached' },
          ]}
        />
        <SearchBox label="Filter routes" value={search} onChange={setSearch} />
      </ScreenHead>
      {openDump() === undefined && <TryRequest />}
      {(config !== undefined || host !== undefined) && (
        <p className="routes-scope">
          Only{' '}
          {config !== undefined && (
            <>
              of <code>{config}</code>
            </>
          )}{' '}
          {host !== undefined && (
            <>
              of the virtual host <code>{host}</code>
            </>
          )}{' '}
          <button
            type="button"
            className="link-button"
            onClick={() => change({ route_config: '', virtual_host: '' })}
          >
            Show all
          </button>
        </p>
      )}
      <PagedTable
        label="Routes"
        path="/api/routes"
        query={{
          search,
          route_config: config,
          virtual_host: host,
          shadowed: shadowed === 'true' ? 'true' : undefined,
        }}
        columns={COLUMNS}
        rowKey={({ name }) => name}
        link={({ name }) => ({ screen: '/routes', params: { route: name } })}
        sort={sort}
        onSort={setSort}
        onTotal={setTotal}
        empty={<Nothing search={search} shadowed={shadowed === 'true'} />}
      />
    </div>
  );
}

/** The host that is asked for, and what else must hold. */
function Match({ row: { domains, match, shadowed_by: shadowedBy } }: { row: RouteRow }) {
  const [first = '*'] = domains;
  const more = domains.length > 1 ? ` and ${plural(domains.length - 1, 'more host')},` : ',';
  return (
    <span className={shadowedBy === undefined ? 'mono' : 'mono quiet'}>
      {first !== '*' && <span className="quiet">{`${first}${more} `}</span>}
      {match} {shadowedBy !== undefined && <Badge tone="warn">never reached</Badge>}
    </span>
  );
}

function Hits({ hits }: { hits: number | undefined }) {
  if (hits === undefined) return <span className="quiet">–</span>;
  return <span className={hits === 0 ? 'quiet' : ''}>{count(hits)}</span>;
}

function configOf({ route_config: config, listener }: RouteRow): string {
  return listener === '' ? config : `${config}, part of the listener ${listener}`;
}

function Nothing({ search, shadowed }: { search: string; shadowed: boolean }) {
  if (shadowed)
    return (
      <EmptyState title="Every route can be reached">
        No route takes all requests of one that comes after it.
      </EmptyState>
    );
  if (search !== '') return <EmptyState title={`No route has “${search}” in it`} />;
  return (
    <EmptyState title="There are no routes">
      <p>
        They come with HTTP connection managers. See the{' '}
        <ScreenLink screen="/listeners">listeners</ScreenLink>.
      </p>
    </EmptyState>
  );
}
