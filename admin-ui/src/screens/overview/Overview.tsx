// Is it healthy? What somebody sees who comes at 3 a.m.: what is wrong, traffic, failures, latency, and what changed.

import { LIVE_MS, useAnswer } from '../../api/queries.ts';
import type { Overview, StatSeriesAnswer } from '../../api/types.ts';
import { TimeChart } from '../../charts/TimeChart.tsx';
import { Failed, Waiting } from '../../components/EmptyState.tsx';
import { Numbers } from '../../components/Numbers.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { count, milliseconds, percent, rate, short } from '../../format.ts';
import { Changing, Updates } from './Changes.tsx';
import { Findings } from './Findings.tsx';
import { perSecond } from './perSecond.ts';
import './overview.css';

/** The proxy takes a sample every 5 s. */
const SERIES_MS = 5_000;

export function Screen() {
  const { data, error } = useAnswer<Overview>('/api/overview', {}, { every: LIVE_MS });
  return (
    <div className="screen">
      <ScreenHead title="Overview" />
      {data === undefined ? (
        error === null ? (
          <Waiting />
        ) : (
          <Failed error={error} />
        )
      ) : (
        <>
          <Findings overview={data} />
          <KeyNumbers overview={data} />
        </>
      )}
      <Charts />
      {data !== undefined && (
        <div className="columns">
          <Updates updates={data.updates} />
          <Changing changing={data.changing} />
        </div>
      )}
    </div>
  );
}

function KeyNumbers({ overview: { rates, active, latency, hosts } }: { overview: Overview }) {
  const { downstream_rq: requests, downstream_rq_4xx: refused, downstream_rq_5xx: failed = 0 } = rates;
  const share = requests === undefined || requests === 0 ? undefined : percent(failed, requests);
  return (
    <Numbers
      items={[
        { name: 'Requests', value: rate(requests), note: `${count(active.downstream_rq)} active` },
        { name: '5xx', value: rate(rates.downstream_rq_5xx), ...(share !== undefined && { note: `${share} of all` }), ...(failed > 0 && { tone: 'bad' }) },
        { name: '4xx', value: rate(refused) },
        { name: 'Median', value: milliseconds(latency.p50), note: 'of requests' },
        { name: '99th percentile', value: milliseconds(latency.p99), note: 'of requests' },
        { name: 'Connections', value: count(active.downstream_cx), note: `${count(active.upstream_cx)} to hosts` },
        { name: 'Retries', value: rate(rates.upstream_rq_retry), note: `${rate(rates.upstream_rq_timeout)} timeouts` },
        { name: 'Hosts', value: count(hosts.healthy), note: `healthy of ${count(hosts.total)}`, ...(hosts.unhealthy > 0 && { tone: 'warn' }) },
      ]}
    />
  ); // biome-ignore format: a table
}

const NONE: readonly number[] = [];

function Charts() {
  const { data: series } = useAnswer<StatSeriesAnswer>('/api/stats/series', {}, { every: SERIES_MS });
  const times = series?.times ?? NONE;
  const values = (name: string): readonly (number | null)[] =>
    series?.items.find((item) => item.name === name)?.values ?? NONE;
  const rates = (name: string): (number | null)[] => perSecond(times, values(name));
  return (
    <div className="columns columns-3">
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
        title="Latency"
        times={times}
        format={milliseconds}
        lines={[
          { name: 'p50', values: values('http.downstream_rq_time.p50'), color: 1 },
          { name: 'p99', values: values('http.downstream_rq_time.p99'), color: 3 },
        ]}
      />
      <TimeChart
        title="Connections"
        times={times}
        format={short}
        lines={[
          { name: 'clients', values: values('listener.downstream_cx_active'), color: 1 },
          { name: 'hosts', values: values('cluster.upstream_cx_active'), color: 4 },
        ]}
      />
    </div>
  );
}
