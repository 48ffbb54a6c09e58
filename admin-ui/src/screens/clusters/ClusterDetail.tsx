// One cluster: its hosts, how it balances, what its limits are and how much of them is used.

import { openDump } from '../../api/dump.ts';
import { LIVE_MS, useAnswer } from '../../api/queries.ts';
import { useRates } from '../../api/rates.ts';
import type { ClusterNumbers, HostRow, ResourceDetail, StatSeriesAnswer } from '../../api/types.ts';
import { TimeChart } from '../../charts/TimeChart.tsx';
import { Badge } from '../../components/Badge.tsx';
import { type Column, PagedTable } from '../../components/DataTable.tsx';
import { EmptyState, Failed, Waiting } from '../../components/EmptyState.tsx';
import { KeyValues } from '../../components/KeyValues.tsx';
import { Meter } from '../../components/Meter.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { Section } from '../../components/Section.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { at, list, object, text } from '../../config/json.ts';
import { transportOf } from '../../config/listener.ts';
import { count, milliseconds, plural, rate } from '../../format.ts';
import { useUrlParam } from '../../url.ts';
import { LIMIT_NAMES } from '../limitNames.ts';
import { perSecond } from '../overview/perSecond.ts';

/** The proxy takes a sample so often. */
const SERIES_MS = 5_000;

export function ClusterDetail({ name }: { name: string }) {
  const path = `/api/clusters/${encodeURIComponent(name)}`;
  const { data: numbers, error, dataUpdatedAt } = useAnswer<ClusterNumbers>(path, {}, { every: LIVE_MS });
  const { data: detail } = useAnswer<ResourceDetail>(`/api/resources/cluster/${encodeURIComponent(name)}`);
  const ofFile = openDump() !== undefined;
  return (
    <div className="screen">
      <ScreenHead
        title={name}
        parent={{ screen: '/clusters', title: 'Clusters' }}
        note={<State detail={detail} />}
      />
      {detail?.rejection !== undefined && (
        <div className="notice notice-bad" role="alert">
          The last update was refused, the version before serves. <code>{detail.rejection.path}</code>:{' '}
          {detail.rejection.reason}
        </div>
      )}
      {ofFile ? (
        <Settings detail={detail} />
      ) : numbers === undefined ? (
        error === null ? (
          <Waiting />
        ) : (
          <Failed error={error} />
        )
      ) : (
        <>
          <Hosts name={name} numbers={numbers} />
          <Past name={statNameOf(detail, name)} failures={numbers.responses_5xx > 0} />
          <div className="columns columns-3">
            <Traffic numbers={numbers} answeredAt={dataUpdatedAt} />
            <Limits numbers={numbers} />
            <Settings numbers={numbers} detail={detail} />
          </div>
        </>
      )}
    </div>
  );
}

/** The `<x>` of its stats' `cluster.<x>.`. */
function statNameOf(detail: ResourceDetail | undefined, name: string): string {
  return text(detail?.resource?.['alt_stat_name']) || name;
}

const NONE: readonly number[] = [];

/** The proxy remembers the stats of a cluster from the first look at it on. */
function Past({ name, failures }: { name: string; failures: boolean }) {
  const every = SERIES_MS;
  const all = useAnswer<StatSeriesAnswer>(
    '/api/stats/series',
    { name: `cluster.${name}.upstream_rq_total` },
    { every },
  );
  const failed = useAnswer<StatSeriesAnswer>(
    '/api/stats/series',
    { name: `cluster.${name}.upstream_rq_5xx` },
    { every, enabled: failures },
  );
  const times = all.data?.times ?? NONE;
  const rates = (answer: StatSeriesAnswer | undefined): (number | null)[] => {
    const values = perSecond(answer?.times ?? NONE, answer?.items[0]?.values ?? NONE);
    return values.slice(-times.length);
  };
  return (
    <TimeChart
      title="Requests"
      nothing="Remembered from the first look at this cluster on, for 15 minutes"
      times={times}
      format={rate}
      lines={[
        { name: 'all', values: rates(all.data), color: 1 },
        ...(failures ? [{ name: '5xx', values: rates(failed.data), color: 5 as const }] : []),
      ]}
    />
  );
}

function State({ detail }: { detail: ResourceDetail | undefined }) {
  if (detail === undefined) return null;
  return (
    <>
      {detail.warming && <Badge tone="warn">a new version is warming</Badge>}{' '}
      {detail.static ? 'from the bootstrap' : <>version {detail.version || '–'}, </>}
      {!detail.static && <TimeAgo at={detail.updated_at} />}
    </>
  );
}

const HEALTH_TONES = { healthy: 'plain', degraded: 'warn', unhealthy: 'bad' } as const;

function Hosts({ name, numbers }: { name: string; numbers: ClusterNumbers }) {
  const [sort, setSort] = useUrlParam('sort', 'name');
  const rates = useRates();
  const columns: readonly Column<HostRow>[] = [
    { id: 'name', title: 'Host', width: 12, sort: 'name', cell: (host) => <span className="mono">{host.name}</span>, text: ({ name, hostname = '' }) => `${name} ${hostname}` },
    { id: 'health', title: 'Health', width: 4, cell: ({ health, health_flags: flags }) => <Health health={health} flags={flags} />, text: ({ health_flags }) => health_flags.join(', ') },
    { id: 'locality', title: 'Locality', width: 4, from: 'wide', cell: (host) => <span className="quiet">{localityOf(host)}</span>, text: localityOf },
    { id: 'weight', title: 'Weight', width: 1, number: true, from: 'wide', cell: ({ weight }) => weight },
    { id: 'active', title: 'Active', width: 2, number: true, sort: 'active_requests', cell: ({ active_requests }) => count(active_requests) },
    { id: 'rate', title: 'Requests', width: 2, number: true, sort: 'requests', cell: (host, when) => rate(rates.of(host.name, host.requests, when)) },
    { id: 'latency', title: 'p50 / p99', width: 3, number: true, sort: 'latency_p99_ms', from: 'medium', cell: (host) => <span className="quiet">{latencyOf(host)}</span>, text: () => 'Until the head of an answer, of the last ones' },
    { id: 'errors', title: 'Errors', width: 2, number: true, sort: 'errors', from: 'medium', cell: ({ errors }) => <span className={errors === 0 ? 'quiet' : ''}>{count(errors)}</span> },
    { id: 'timeouts', title: 'Timeouts', width: 2, number: true, sort: 'timeouts', from: 'medium', cell: ({ timeouts }) => <span className={timeouts === 0 ? 'quiet' : ''}>{count(timeouts)}</span> },
    { id: 'connect', title: 'No connection', width: 3, number: true, sort: 'connect_failures', from: 'medium', cell: ({ connect_failures: failed }) => <span className={failed === 0 ? 'quiet' : 'bad'}>{count(failed)}</span> },
  ]; // biome-ignore format: a table
  return (
    <Section
      title="Hosts"
      note={
        <>
          {plural(numbers.hosts, 'host')}
          {numbers.unhealthy > 0 && <span className="bad">, {count(numbers.unhealthy)} unhealthy</span>}
          {numbers.degraded > 0 && <span className="warn">, {count(numbers.degraded)} degraded</span>}
        </>
      }
    >
      <PagedTable
        label="Hosts"
        path="/api/hosts"
        query={{ cluster: name }}
        every={LIVE_MS}
        columns={columns}
        rowKey={(host) => host.name}
        sort={sort}
        onSort={setSort}
        compact
        empty={
          <EmptyState title="This cluster has no hosts">
            <p>
              Requests to it fail with 503 and the flag UH.{' '}
              {numbers.type === 'EDS' &&
                'The control plane has sent an empty assignment of endpoints, or none.'}
              {numbers.type.endsWith('DNS') && 'The name has not been resolved to any address.'}
            </p>
          </EmptyState>
        }
      />
    </Section>
  );
}

function Health({ health, flags }: { health: HostRow['health']; flags: readonly string[] }) {
  if (health === 'healthy') return <span className="quiet">healthy</span>;
  return (
    <Badge tone={HEALTH_TONES[health]}>
      {flags.length === 0 ? health : flags.join(', ').replaceAll('_', ' ')}
    </Badge>
  );
}

function latencyOf({ latency_p50_ms: p50, latency_p99_ms: p99 }: HostRow): string {
  return p50 === undefined || p99 === undefined ? '–' : `${milliseconds(p50)} / ${milliseconds(p99)}`;
}

function localityOf({ region, zone, sub_zone: subZone, priority }: HostRow): string {
  const place = [region, zone, subZone].filter((part) => part !== undefined && part !== '').join('/');
  return priority === 0 ? place || '–' : `${place} priority ${priority}`;
}

function Traffic({ numbers, answeredAt }: { numbers: ClusterNumbers; answeredAt: number }) {
  const rates = useRates();
  const per = (what: string, total: number) => rate(rates.of(what, total, answeredAt));
  return (
    <Section title="Traffic" note="now, and since the start">
      <table className="plain-table">
        <tbody>
          <NumberRow name="Requests" now={per('requests', numbers.requests)} total={numbers.requests} />
          <NumberRow name="4xx" now={per('4xx', numbers.responses_4xx)} total={numbers.responses_4xx} />
          <NumberRow name="5xx" now={per('5xx', numbers.responses_5xx)} total={numbers.responses_5xx} bad />
          <NumberRow name="Timeouts" now={per('timeouts', numbers.timeouts)} total={numbers.timeouts} bad />
          <NumberRow name="Retries" now={per('retries', numbers.retries)} total={numbers.retries} />
          <NumberRow
            name="Connect failures"
            now={per('connect', numbers.connect_failures)}
            total={numbers.connect_failures}
            bad
          />
          <NumberRow
            name="Refused by a limit"
            now={per('overflows', numbers.overflows)}
            total={numbers.overflows}
            bad
          />
        </tbody>
      </table>
    </Section>
  );
}

function NumberRow({
  name,
  now,
  total,
  bad = false,
}: {
  name: string;
  now: string;
  total: number;
  bad?: boolean;
}) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td className="number">{now}</td>
      <td className={`number ${total === 0 ? 'quiet' : bad ? 'bad' : ''}`}>{count(total)}</td>
    </tr>
  );
}

function Limits({ numbers: { breakers } }: { numbers: ClusterNumbers }) {
  const used = breakers.some(({ priority, used }) => priority === 'high' && used > 0);
  const shown = breakers.filter(({ priority }) => priority === 'default' || used);
  return (
    <Section title="Circuit breakers" note="used of limit, of all workers">
      <table className="plain-table">
        <tbody>
          {shown.map(({ priority, limit, used, max }) => (
            <tr key={`${priority} ${limit}`}>
              <th scope="row">
                {LIMIT_NAMES[limit]}
                {priority === 'high' && ', high priority'}
              </th>
              <td>
                <Meter label={LIMIT_NAMES[limit]} used={used} limit={max} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function Settings({ numbers, detail }: { numbers?: ClusterNumbers; detail: ResourceDetail | undefined }) {
  const config = detail?.resource ?? {};
  const checks = list(config['health_checks']);
  const eds = text(at(config, 'eds_cluster_config', 'service_name'));
  return (
    <Section title="Settings">
      <KeyValues
        items={[
          ['Hosts from', numbers?.type ?? (text(config['type']) || 'STATIC')],
          [
            'EDS name',
            eds === '' ? undefined : (
              <span key="eds" className="mono">
                {eds}
              </span>
            ),
          ],
          [
            'Load balancing',
            policyOf(config) || (numbers?.lb_policy ?? (text(config['lb_policy']) || 'ROUND_ROBIN')),
          ],
          ['Connect timeout', text(config['connect_timeout']) || '5s'],
          ['Transport', transportOf(object(config['transport_socket']))],
          ['Health checks', checks.length === 0 ? 'none' : checks.map(checkOf).join(', ')],
          ['Outlier detection', config['outlier_detection'] === undefined ? 'off' : 'on'],
        ]}
      />
    </Section>
  );
}

function policyOf(config: NonNullable<ResourceDetail['resource']>): string {
  const [policy] = list(at(config, 'load_balancing_policy', 'policies'));
  return policy === undefined ? '' : text(at(policy, 'typed_extension_config', 'name'));
}

function checkOf(check: NonNullable<ResourceDetail['resource']>): string {
  const kind =
    ['http', 'tcp', 'grpc', 'custom'].find((each) => check[`${each}_health_check`] !== undefined) ?? '';
  const path = text(at(check, 'http_health_check', 'path'));
  return `${kind.toUpperCase()} ${path} every ${text(check['interval'])}`.replace('  ', ' ');
}
