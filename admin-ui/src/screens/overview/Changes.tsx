// What changed: the configuration lately, and the counters that grow most now.

import type { HistoryEntry, Overview } from '../../api/types.ts';
import { type Column, ListTable } from '../../components/DataTable.tsx';
import { EmptyState } from '../../components/EmptyState.tsx';
import { Section } from '../../components/Section.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { Verdict } from '../../components/Verdict.tsx';
import { rate } from '../../format.ts';

const UPDATE_COLUMNS: readonly Column<HistoryEntry>[] = [
  { id: 'name', title: 'Resource', width: 12, cell: ({ name }) => <span className="mono">{name}</span>, text: ({ name }) => name },
  { id: 'kind', title: 'Kind', width: 2, cell: ({ kind }) => <span className="quiet">{kind}</span> },
  { id: 'verdict', title: 'Verdict', width: 2, cell: ({ verdict }) => <Verdict verdict={verdict} /> },
  { id: 'at', title: 'When', width: 2, number: true, cell: ({ at }) => <TimeAgo at={at} /> },
]; // biome-ignore format: a table

export function Updates({ updates }: { updates: readonly HistoryEntry[] }) {
  return (
    <Section title="Last updates of the configuration">
      <ListTable
        label="Last updates of the configuration"
        rows={updates}
        columns={UPDATE_COLUMNS}
        rowKey={({ id }) => `${id}`}
        link={({ id }) => ({ screen: '/config', params: { id: `${id}` } })}
        compact
        empty={
          <EmptyState title="No control plane has sent anything">
            All configuration is from the bootstrap.
          </EmptyState>
        }
      />
    </Section>
  );
}

type Change = Overview['changing'][number];

const CHANGE_COLUMNS: readonly Column<Change>[] = [
  { id: 'name', title: 'Counter', width: 12, cell: ({ name }) => <span className="mono">{name}</span>, text: ({ name }) => name },
  { id: 'rate', title: 'Grows by', width: 3, number: true, cell: (change) => rate(change.rate) },
]; // biome-ignore format: a table

export function Changing({ changing }: { changing: readonly Change[] }) {
  return (
    <Section title="Counters that grow most">
      <ListTable
        label="Counters that grow most"
        rows={changing}
        columns={CHANGE_COLUMNS}
        rowKey={({ name }) => name}
        link={({ name }) => ({ screen: '/stats', params: { stat: name } })}
        compact
        empty={<EmptyState title="No counter grows">Rates take two looks, a few seconds apart.</EmptyState>}
      />
    </Section>
  );
}
