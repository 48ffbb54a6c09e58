// Every stat of the proxy: found by any part of its name, with how fast it grows; pinned ones stay on top with their past.

import { useState } from 'react';
import { LIVE_MS } from '../../api/queries.ts';
import type { StatKind, StatRow } from '../../api/types.ts';
import { ChoiceList } from '../../components/Choice.tsx';
import { type Column, PagedTable, TotalNote } from '../../components/DataTable.tsx';
import { EmptyState } from '../../components/EmptyState.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { SearchBox } from '../../components/SearchBox.tsx';
import { Section } from '../../components/Section.tsx';
import { count, rate } from '../../format.ts';
import { useUrlParam, useUrlParams } from '../../url.ts';
import { PinnedStat } from './PinnedStat.tsx';
import { usePins } from './pins.ts';
import { quantile } from './quantile.ts';
import { StatDetail } from './StatDetail.tsx';
import './stats.css';

export function Screen() {
  const [{ stat }] = useUrlParams();
  return stat === undefined ? <StatList /> : <StatDetail key={stat} name={stat} />;
}

const KINDS: readonly { readonly value: StatKind | ''; readonly title: string }[] = [
  { value: '', title: 'any' },
  { value: 'counter', title: 'counters' },
  { value: 'gauge', title: 'gauges' },
  { value: 'histogram', title: 'histograms' },
];

function StatList() {
  const [search, setSearch] = useUrlParam('search');
  const [kind, setKind] = useUrlParam('kind');
  const [used, setUsed] = useUrlParam('used', 'true');
  const [sort, setSort] = useUrlParam('sort', 'name');
  const [total, setTotal] = useState<number>();
  const { pins, toggle } = usePins();
  const columns: readonly Column<StatRow>[] = [
    { id: 'name', title: 'Stat', width: 12, sort: 'name', cell: ({ name }) => <span className="mono">{name}</span>, text: ({ name }) => name },
    { id: 'kind', title: 'Kind', width: 2, from: 'medium', cell: ({ kind }) => <span className="quiet">{kind}</span> },
    { id: 'value', title: 'Value', width: 3, number: true, sort: 'value', cell: (stat) => <Value stat={stat} /> },
    { id: 'rate', title: 'Grows by', width: 2, number: true, sort: 'rate', cell: ({ kind, rate: growth }) => (kind === 'gauge' ? '' : <span className={growth === 0 ? 'quiet' : ''}>{rate(growth)}</span>) },
    { id: 'p50', title: 'p50', width: 2, number: true, from: 'wide', cell: ({ quantiles, unit }) => quantile(quantiles?.p50, unit) },
    { id: 'p99', title: 'p99', width: 2, number: true, from: 'medium', cell: ({ quantiles, unit }) => quantile(quantiles?.p99, unit) },
    { id: 'pin', title: 'Pinned', width: 1, cell: ({ name }) => <Pin name={name} pinned={pins.includes(name)} onToggle={toggle} /> },
  ]; // biome-ignore format: a table
  return (
    <div className="screen screen-fill">
      <ScreenHead title="Stats" note={<TotalNote total={total} what={search === '' ? 'in all' : 'found'} />}>
        <ChoiceList label="Kind" value={kind as StatKind | ''} onChange={setKind} options={KINDS} />
        <label className="stats-used">
          <input
            type="checkbox"
            checked={used === 'true'}
            onChange={(event) => setUsed(`${event.target.checked}`)}
          />{' '}
          Only used
        </label>
        <SearchBox label="Filter stats by name" value={search} onChange={setSearch} />
      </ScreenHead>
      {pins.length > 0 && (
        <Section title="Pinned" className="stats-pinned">
          <div className="columns columns-3">
            {pins.map((name) => (
              <PinnedStat key={name} name={name} onUnpin={() => toggle(name)} />
            ))}
          </div>
        </Section>
      )}
      <PagedTable
        label="Stats"
        path="/api/stats"
        query={{ search, kind, used: used === 'true' ? 'true' : undefined }}
        every={LIVE_MS}
        columns={columns}
        rowKey={({ name }) => name}
        link={({ name }) => ({ params: { stat: name }, keep: true })}
        sort={sort}
        onSort={setSort}
        onTotal={setTotal}
        empty={<Nothing search={search} used={used === 'true'} />}
      />
    </div>
  );
}

function Value({ stat: { kind, value } }: { stat: StatRow }) {
  if (kind !== 'histogram') return count(value);
  return (
    <span className="quiet">
      {count(value)}
      <span className="from-medium"> samples</span>
    </span>
  );
}

function Pin({
  name,
  pinned,
  onToggle,
}: {
  name: string;
  pinned: boolean;
  onToggle: (name: string) => void;
}) {
  return (
    <button
      type="button"
      className={pinned ? 'stats-pin stats-pin-on' : 'stats-pin'}
      aria-pressed={pinned}
      aria-label={`Pin ${name}`}
      tabIndex={-1}
      onClick={() => onToggle(name)}
    >
      <svg viewBox="0 0 12 12" aria-hidden="true">
        <path d="M4 1h4v4l2 2v1H6.500v3h-1V8H2V7l2-2z" />
      </svg>
    </button>
  );
}

function Nothing({ search, used }: { search: string; used: boolean }) {
  if (search === '') return <EmptyState title="Nothing has been counted yet" />;
  return (
    <EmptyState title={`No stat has “${search}” in its name`}>
      <ul>
        {used && <li>Stats that were never written are left out: take away “Only used” to see them.</li>}
        <li>Some appear with their first event only, such as the counters of response codes.</li>
        <li>The bootstrap’s stats_config.stats_matcher may leave it out.</li>
      </ul>
    </EmptyState>
  );
}
