// Is it healthy? What somebody sees who comes at 3 a.m.: traffic, failures, what changed.

import { useAnswer } from '../../api/queries.ts';
import type { HistoryEntry, Page, StatSeriesAnswer } from '../../api/types.ts';
import { TimeChart } from '../../charts/TimeChart.tsx';
import { Badge } from '../../components/Badge.tsx';
import { ListTable } from '../../components/DataTable.tsx';
import { EmptyState } from '../../components/EmptyState.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { Section } from '../../components/Section.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { rate, short } from '../../format.ts';
import { perSecond } from './perSecond.ts';

/** The proxy takes a sample every 5 s. */
const EVERY_MS = 5_000;
const NONE: readonly number[] = [];

export function Screen() {
  const { data: series } = useAnswer<StatSeriesAnswer>('/api/stats/series', {}, { every: EVERY_MS });
  const { data: history } = useAnswer<Page<HistoryEntry>>('/api/history', { limit: 10 });
  const times = series?.times ?? NONE;
  const values = (name: string): readonly (number | null)[] =>
    series?.items.find((item) => item.name === name)?.values ?? NONE;
  const rates = (name: string): (number | null)[] => perSecond(times, values(name));
  return (
    <div className="screen">
      <ScreenHead title="Overview" />
      <div className="columns">
        <TimeChart
          title="Requests"
          times={times}
          format={rate}
          lines={[
            { name: 'all', values: rates('http.downstream_rq_total'), color: 1 },
            { name: '4xx', values: rates('http.downstream_rq_4xx'), color: 2 },
            { name: '5xx', values: rates('http.downstream_rq_5xx'), color: 5 },
          ]}
        />
        <TimeChart
          title="Connections"
          times={times}
          format={short}
          lines={[
            { name: 'clients', values: values('listener.downstream_cx_active'), color: 1 },
            { name: 'hosts', values: values('cluster.upstream_cx_active'), color: 3 },
          ]}
        />
      </div>
      <Section title="Last updates of the configuration">
        <ListTable
          label="Last updates"
          rows={history?.items ?? []}
          rowKey={({ id }) => String(id)}
          compact
          empty={<EmptyState title="No control plane has sent anything yet" />}
          columns={[
            {
              id: 'name',
              title: 'Name',
              width: 12,
              cell: ({ name }) => <span className="mono">{name}</span>,
            },
            { id: 'kind', title: 'Kind', width: 2, cell: ({ kind }) => kind },
            { id: 'verdict', title: '', width: 2, cell: ({ verdict }) => <Verdict verdict={verdict} /> },
            { id: 'at', title: 'When', width: 3, number: true, cell: ({ at }) => <TimeAgo at={at} /> },
          ]}
        />
      </Section>
    </div>
  );
}

function Verdict({ verdict }: Pick<HistoryEntry, 'verdict'>) {
  if (verdict === 'accepted') return <span className="quiet">accepted</span>;
  return <Badge tone={verdict === 'rejected' ? 'bad' : 'plain'}>{verdict}</Badge>;
}
