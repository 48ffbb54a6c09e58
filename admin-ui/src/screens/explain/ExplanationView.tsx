// An explanation: what happens in one sentence, then step by step, then the hosts that may get the request.

import type { ExplainedHost, Explanation } from '../../api/explainTypes.ts';
import type { NearestMiss } from '../../api/types.ts';
import { Badge, type Tone } from '../../components/Badge.tsx';
import { type Column, ListTable } from '../../components/DataTable.tsx';
import { Section } from '../../components/Section.tsx';
import { count, percent } from '../../format.ts';
import { Step } from './Step.tsx';

const OUTCOMES: Readonly<Record<string, readonly [tone: Tone, title: string]>> = {
  forwarded: ['good', 'forwarded'],
  tcp_forwarded: ['good', 'forwarded'],
  redirect: ['info', 'redirected'],
  direct_response: ['info', 'answered here'],
  rejected: ['bad', 'rejected'],
  no_listener: ['bad', 'no listener'],
  no_filter_chain: ['bad', 'no filter chain'],
  no_route: ['bad', 'no route'],
  no_cluster: ['bad', 'no cluster'],
  no_host: ['bad', 'no host'],
};

const HOSTS: readonly Column<ExplainedHost>[] = [
  {
    id: 'address',
    title: 'Host',
    width: 5,
    text: ({ hostname }) => hostname,
    cell: ({ address, chosen }) => (
      <span className="mono">
        {address} {chosen === true && <Badge tone="good">this one</Badge>}
      </span>
    ),
  },
  { id: 'share', title: 'Share', width: 2, number: true, cell: ({ share }) => percent(share, 1) },
  {
    id: 'weight',
    title: 'Weight',
    width: 2,
    number: true,
    from: 'medium',
    cell: ({ weight }) => count(weight),
  },
  { id: 'health', title: 'Health', width: 2, cell: (host) => <Health host={host} /> },
  {
    id: 'priority',
    title: 'Priority',
    width: 2,
    number: true,
    from: 'wide',
    cell: ({ priority }) => priority,
  },
  { id: 'zone', title: 'Zone', width: 3, from: 'wide', cell: ({ zone }) => zone },
  {
    id: 'active',
    title: 'Active',
    width: 2,
    number: true,
    from: 'medium',
    cell: ({ active_requests }) => count(active_requests),
  },
  { id: 'reason', title: 'Why', width: 12, text: ({ reason }) => reason, cell: ({ reason }) => reason },
];

export function ExplanationView({ explanation }: { explanation: Explanation }) {
  const [tone, title] = OUTCOMES[explanation.outcome] ?? ['plain', explanation.outcome];
  const { response, hosts, nearest_miss: miss } = explanation;
  return (
    <>
      <div className="explain-summary" role="status">
        <p>
          <Badge tone={tone}>{title}</Badge> {explanation.summary}
        </p>
        {response !== undefined && (
          <p className="mono">
            {response.status} {response.flags.join(',')} {response.details}
          </p>
        )}
        {miss !== undefined && <Miss miss={miss} />}
      </div>
      <Section title="Step by step">
        <ol className="explain-steps">
          {explanation.steps.map((step) => (
            <Step key={`${step.step} ${step.title}`} step={step} />
          ))}
        </ol>
      </Section>
      {hosts.length > 0 && (
        <Section title="Hosts" note={count(hosts.length)}>
          <ListTable
            label="Hosts"
            rows={hosts}
            rowKey={({ address }) => address}
            columns={HOSTS}
            compact
            empty={null}
          />
        </Section>
      )}
    </>
  );
}

export function Miss({ miss }: { miss: NearestMiss }) {
  return (
    <p className="explain-miss">
      <span className="quiet">Nearest: </span>
      <span className="mono">{miss.name}</span>, but {miss.what} wants{' '}
      <span className="mono">{miss.wanted}</span> and there is{' '}
      <span className="mono">{miss.got === '' ? 'nothing' : miss.got}</span>.
      {miss.hint !== '' && ` ${miss.hint}`}
    </p>
  );
}

function Health({ host: { health, health_flags } }: { host: ExplainedHost }) {
  const tone = health === 'healthy' ? 'plain' : health === 'degraded' ? 'warn' : 'bad';
  return (
    <Badge tone={tone} title={health_flags.join(', ')}>
      {health}
    </Badge>
  );
}
