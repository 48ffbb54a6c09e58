// The process: its workers and their load, connections from clients, memory, log levels, runtime flags, and what can be done with it.

import type { Memory, Session, WorkerRow } from '../../api/proxyTypes.ts';
import { LIVE_MS, useAnswer } from '../../api/queries.ts';
import { Choice } from '../../components/Choice.tsx';
import { type Column, ListTable } from '../../components/DataTable.tsx';
import { KeyValues } from '../../components/KeyValues.tsx';
import { Meter } from '../../components/Meter.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { Section } from '../../components/Section.tsx';
import { bytes, count, duration, milliseconds, percent } from '../../format.ts';
import { useUrlParam } from '../../url.ts';
import { Actions } from './Actions.tsx';
import { Connections } from './Connections.tsx';
import { LogLevels } from './LogLevels.tsx';
import { RuntimeFlags } from './RuntimeFlags.tsx';

const VIEWS = [
  { value: '', title: 'Process' },
  { value: 'connections', title: 'Connections' },
  { value: 'flags', title: 'Runtime flags' },
  { value: 'logs', title: 'Log levels' },
] as const;

export function Screen() {
  const [view, setView] = useUrlParam('view');
  const { data: session } = useAnswer<Session>('/api/session');
  const canWrite = session?.can_write === true;
  return (
    <div className={view === 'connections' ? 'screen screen-fill' : 'screen'}>
      <ScreenHead title="Runtime" note={session === undefined ? undefined : `you are ${session.role}`}>
        <Choice
          label="View"
          options={VIEWS}
          value={view as (typeof VIEWS)[number]['value']}
          onChange={setView}
        />
      </ScreenHead>
      {view === 'connections' && <Connections canWrite={canWrite} />}
      {view === 'flags' && <RuntimeFlags canWrite={canWrite} />}
      {view === 'logs' && <LogLevels canWrite={canWrite} />}
      {view === '' && <Process canWrite={canWrite} />}
    </div>
  );
}

const WORKERS: readonly Column<WorkerRow>[] = [
  { id: 'name', title: 'Worker', width: 3, cell: ({ name }) => <span className="mono">{name}</span> },
  { id: 'connections', title: 'Connections', width: 3, number: true, cell: ({ connections }) => count(connections) },
  { id: 'total', title: 'Since start', width: 3, number: true, from: 'medium', cell: ({ connections_total }) => count(connections_total) },
  { id: 'busy', title: 'Busy', width: 2, number: true, cell: ({ utilization }) => percent(utilization, 1) },
  { id: 'lag', title: 'Answers in', width: 3, number: true, cell: ({ response_ms }) => (response_ms === undefined ? <span className="bad">not at all</span> : milliseconds(response_ms)) },
  { id: 'heap', title: 'Heap', width: 3, number: true, from: 'medium', cell: ({ heap_used_bytes }) => bytes(heap_used_bytes) },
  { id: 'uptime', title: 'Up', width: 3, number: true, from: 'medium', cell: ({ uptime_ms }) => duration(uptime_ms / 1000) },
]; // biome-ignore format: a table

function Process({ canWrite }: { canWrite: boolean }) {
  const { data } = useAnswer<{ items: readonly WorkerRow[] }>('/api/workers', {}, { every: LIVE_MS });
  const { data: memory } = useAnswer<Memory>('/memory', {}, { every: LIVE_MS });
  const workers = data?.items ?? [];
  return (
    <>
      <Section title="Workers" note={<Skew workers={workers} />}>
        <ListTable
          label="Workers"
          rows={workers}
          rowKey={({ name }) => name}
          columns={WORKERS}
          compact
          empty={null}
        />
      </Section>
      <div className="columns">
        <Section title="Memory">
          {memory !== undefined && (
            <KeyValues
              items={[
                ['In use', bytes(Number(memory.allocated))],
                ['Reserved', bytes(Number(memory.heap_size))],
                ...workers.map(
                  (worker) => [worker.name, <Heap key={worker.name} worker={worker} />] as const,
                ),
              ]}
            />
          )}
        </Section>
        <Section title="Actions" note={canWrite ? undefined : 'For the role admin.'}>
          <Actions canWrite={canWrite} />
        </Section>
      </div>
    </>
  );
}

const MIB = 1024 * 1024;

function Heap({ worker }: { worker: WorkerRow }) {
  return (
    <Meter
      label={`Heap of ${worker.name}, MiB`}
      used={Math.round(worker.heap_used_bytes / MIB)}
      limit={Math.round(worker.heap_limit_bytes / MIB)}
    />
  );
}

/** More than this between the most and the least loaded worker is said. */
const UNEVEN = 1.5;

function Skew({ workers }: { workers: readonly WorkerRow[] }) {
  const loads = workers.map(({ connections }) => connections);
  const [most, least] = [Math.max(...loads), Math.min(...loads)];
  if (workers.length < 2 || most < 10 || most < least * UNEVEN) return null;
  return (
    <span className="warn">
      One has {count(most)} connections, another {count(least)}.
    </span>
  );
}
