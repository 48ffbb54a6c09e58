// Streams to control planes, what each subscribes to and how each answer was taken; what was refused, with the error on its field;
// what warms, and what it waits for.

import { LIVE_MS, useAnswer } from '../../api/queries.ts';
import type { HistoryDetail, HistoryEntry, Page, ResourceSummary } from '../../api/types.ts';
import type { XdsStream } from '../../api/xdsTypes.ts';
import { type Column, ListTable } from '../../components/DataTable.tsx';
import { EmptyState, Failed, NoAnswer, Waiting } from '../../components/EmptyState.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { ScreenLink } from '../../components/ScreenLink.tsx';
import { Section } from '../../components/Section.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { useUrlParam } from '../../url.ts';
import { resourceTarget } from '../resourceTarget.ts';
import { FieldError } from './FieldError.tsx';
import { Stream } from './Stream.tsx';
import { Unready } from './Unready.tsx';
import './xds.css';

export function Screen() {
  const [rejected] = useUrlParam('rejected');
  return rejected === '' ? <Streams /> : <Rejection id={rejected} />;
}

function Streams() {
  const { data, error } = useAnswer<{ items: readonly XdsStream[] }>(
    '/api/xds/streams',
    {},
    { every: LIVE_MS },
  );
  const streams = data?.items ?? [];
  return (
    <div className="screen">
      <ScreenHead title="xDS" />
      <Refused />
      <Warming />
      {error !== null && <Failed error={error} />}
      {data === undefined && error === null && <Waiting />}
      {data !== undefined && streams.length === 0 && (
        <EmptyState title="No control plane">
          Everything is from the bootstrap. Streams appear here once the bootstrap has{' '}
          <code>dynamic_resources</code>.
        </EmptyState>
      )}
      {streams.map((stream) => (
        <Stream key={`${stream.target} ${stream.method}`} stream={stream} />
      ))}
    </div>
  );
}

const REFUSED: readonly Column<HistoryEntry>[] = [
  { id: 'name', title: 'Resource', width: 5, text: ({ name }) => name, cell: ({ name }) => <span className="mono">{name}</span> },
  { id: 'kind', title: 'Kind', width: 2, cell: ({ kind }) => kind },
  {
    id: 'reason',
    title: 'Field and reason',
    width: 12,
    text: ({ path, reason }) => [path, reason].filter(Boolean).join(': '),
    cell: ({ path = '', reason = '' }) => (
      <>
        {path !== '' && <span className="mono">{path}: </span>}
        {reason}
      </>
    ),
  },
  { id: 'at', title: 'When', width: 3, number: true, from: 'medium', cell: ({ at }) => <TimeAgo at={at} /> },
]; // biome-ignore format: a table

function Refused() {
  const { data } = useAnswer<Page<HistoryEntry>>('/api/history', { verdict: 'rejected', limit: 50 });
  if (data === undefined || data.total === 0) return null;
  return (
    <Section title="Rejected updates" note="The last good version of each serves on.">
      <ListTable
        label="Rejected updates"
        rows={data.items}
        rowKey={({ id }) => String(id)}
        link={({ id }) => ({ screen: '/xds', params: { rejected: String(id) } })}
        columns={REFUSED}
        compact
        empty={null}
      />
    </Section>
  );
}

/** The inspector of one NACK. */
function Rejection({ id }: { id: string }) {
  const { data, error } = useAnswer<HistoryDetail>(`/api/history/${id}`);
  const parent = { title: 'xDS', params: {} };
  if (data === undefined) {
    return (
      <div className="screen">
        <ScreenHead title={`Version ${id}`} parent={parent} />
        <NoAnswer error={error} />
      </div>
    );
  }
  return (
    <div className="screen">
      <ScreenHead
        title={data.name}
        parent={parent}
        note={
          <>
            {data.kind} from {data.source}, <TimeAgo at={data.at} />
          </>
        }
      >
        <ScreenLink screen="/config" params={{ id }} className="button">
          Compare and see all of it
        </ScreenLink>
        <ScreenLink {...resourceTarget(data.kind, data.name)} className="button">
          What serves now
        </ScreenLink>
      </ScreenHead>
      <Section title="The field" note={data.version === '' ? undefined : `version ${data.version}`}>
        <FieldError
          path={data.path ?? ''}
          reason={data.reason ?? 'It was refused.'}
          resource={data.resource}
        />
      </Section>
    </div>
  );
}

function Warming() {
  const { data } = useAnswer<Page<ResourceSummary>>(
    '/api/resources',
    { state: 'warming', limit: 50 },
    { every: LIVE_MS },
  );
  if (data === undefined || data.total === 0) return null;
  return (
    <Section title="Warming" note="These came, and wait for what they need before they serve.">
      <ul>
        {data.items.map(({ kind, name, updated_at }) => (
          <li key={`${kind} ${name}`}>
            <ScreenLink screen="/config" params={{ kind, name }} className="mono">
              {name}
            </ScreenLink>{' '}
            <span className="quiet">
              {kind}, since <TimeAgo at={updated_at} />
            </span>
          </li>
        ))}
      </ul>
      <Unready />
    </Section>
  );
}
