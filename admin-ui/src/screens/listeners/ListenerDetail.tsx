// One listener: its filter chains, and the way from its address to hosts as a graph or as a tree, with the numbers of now.

import { lazy, Suspense } from 'react';
import { LIVE_MS, useAnswer } from '../../api/queries.ts';
import type { ListenerNumbers, ResourceDetail } from '../../api/types.ts';
import { Badge } from '../../components/Badge.tsx';
import { Choice, ChoiceList } from '../../components/Choice.tsx';
import { type Column, ListTable } from '../../components/DataTable.tsx';
import { EmptyState, NoAnswer, Waiting } from '../../components/EmptyState.tsx';
import { KeyValues } from '../../components/KeyValues.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { Section } from '../../components/Section.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { type Chain, chainTitle, type ListenerParts, listenerParts } from '../../config/listener.ts';
import { count } from '../../format.ts';
import { useUrlParam } from '../../url.ts';
import { ChainTree } from './ChainTree.tsx';
import { useChainFlow } from './useChainFlow.ts';
import './listeners.css';

const ChainGraph = lazy(() => import('./ChainGraph.tsx').then(({ ChainGraph }) => ({ default: ChainGraph })));

/** More chains at once are no picture any more. */
const MAX_DRAWN = 6;

export function ListenerDetail({ name }: { name: string }) {
  const path = encodeURIComponent(name);
  const { data: numbers, dataUpdatedAt } = useAnswer<ListenerNumbers>(
    `/api/listeners/${path}`,
    {},
    { every: LIVE_MS },
  );
  const { data: detail, error } = useAnswer<ResourceDetail>(`/api/resources/listener/${path}`);
  const config = detail?.resource ?? detail?.warming_resource ?? detail?.rejected_resource;
  if (detail === undefined || config === undefined) return <NoAnswer error={error} />;
  const parts = listenerParts(config);
  return (
    <div className="screen">
      <ScreenHead title={name} parent={{ screen: '/listeners', title: 'Listeners' }} note={<State detail={detail} />} />
      {detail.rejection !== undefined && (
        <div className="notice notice-bad" role="alert">
          The last update was refused{detail.state === 'active' && ', the version before serves'}.{' '}
          <code>{detail.rejection.path}</code>: {detail.rejection.reason}
        </div>
      )}
      <KeyValues
        items={[
          ['Address', <span key="address" className="mono">{(numbers?.addresses ?? parts.addresses).join(', ')}</span>],
          ['Listener filters', parts.listenerFilters.length === 0 ? 'none' : parts.listenerFilters.map((each) => each.name.replace('envoy.filters.listener.', '')).join(', ')],
          ['Connections', numbers && `${count(numbers.connections)} open, ${count(numbers.connections_total)} since the start`],
          ['No filter chain', numbers && numbers.no_filter_chain_match > 0 ? <span key="none" className="bad">{count(numbers.no_filter_chain_match)} connections were closed</span> : undefined],
        ]}
      />
      <Flow name={name} parts={parts} numbers={numbers} answeredAt={dataUpdatedAt} />
      <Chains parts={parts} />
    </div>
  ); // biome-ignore format: a table
}

function State({ detail }: { detail: ResourceDetail }) {
  return (
    <>
      {detail.state === 'warming' && <Badge tone="warn">warming</Badge>}
      {detail.warming && <Badge tone="warn">a new version is warming</Badge>}{' '}
      {detail.static ? 'from the bootstrap' : `version ${detail.version || '–'}, `}
      {!detail.static && <TimeAgo at={detail.updated_at} />}
    </>
  );
}

interface FlowProps {
  readonly name: string;
  readonly parts: ListenerParts;
  readonly numbers: ListenerNumbers | undefined;
  /** ms since 1970. */
  readonly answeredAt: number;
}

function Flow({ name, parts, numbers, answeredAt }: FlowProps) {
  const [view, setView] = useUrlParam('view', matchMedia('(max-width: 60rem)').matches ? 'tree' : 'graph');
  const many = parts.chains.length > MAX_DRAWN;
  const [chosen, choose] = useUrlParam('chain', many ? firstShown(parts.chains) : '');
  const chains = chosen === '' ? parts.chains : parts.chains.filter(({ id }) => id === chosen);
  const flow = useChainFlow(name, parts, chains, numbers, answeredAt);
  if (parts.chains.length === 0) return <EmptyState title="This listener has no filter chains" />;
  return (
    <Section
      title="From connection to host"
      actions={
        <>
          {parts.chains.length > 1 && (
            <ChoiceList
              label="Chain"
              value={chosen}
              onChange={choose}
              options={[
                ...(many ? [] : [{ value: '', title: 'all' }]),
                ...parts.chains.map((chain) => ({ value: chain.id, title: chainTitle(chain) })),
              ]}
            />
          )}
          <Choice
            label="View"
            value={view}
            onChange={setView}
            options={[
              { value: 'graph', title: 'Graph' },
              { value: 'tree', title: 'Tree' },
            ]}
          />
        </>
      }
    >
      {view === 'tree' ? (
        <ChainTree flow={flow} />
      ) : (
        <Suspense fallback={<Waiting />}>
          <ChainGraph flow={flow} />
        </Suspense>
      )}
    </Section>
  );
}

/** Of many: one with routes, as far as there is one. */
function firstShown(chains: readonly Chain[]): string {
  return (chains.find(({ http }) => http !== undefined) ?? chains[0])?.id ?? '';
}

function Chains({ parts }: { parts: ListenerParts }) {
  const columns: readonly Column<Chain>[] = [
    { id: 'match', title: 'Takes', width: 12, cell: (chain) => matchText(chain), text: matchText },
    { id: 'name', title: 'Chain', width: 4, from: 'medium', cell: (chain) => <span className="mono">{chain.name || (chain.isDefault ? 'default' : '–')}</span>, text: chainTitle },
    { id: 'transport', title: 'Transport', width: 2, cell: ({ transport }) => transport },
    { id: 'filters', title: 'Filters', width: 8, from: 'wide', cell: (chain) => <span className="quiet">{filtersText(chain)}</span>, text: filtersText },
    { id: 'leads', title: 'Routes or cluster', width: 5, from: 'medium', cell: (chain) => <span className="mono">{leadsTo(chain)}</span>, text: leadsTo },
  ]; // biome-ignore format: a table
  return (
    <Section title="Filter chains" note={count(parts.chains.length)}>
      <ListTable
        label="Filter chains"
        rows={parts.chains}
        columns={columns}
        rowKey={({ id }) => id}
        compact
        empty={<EmptyState title="None" />}
      />
    </Section>
  );
}

function matchText({ match, isDefault }: Chain): string {
  if (match.length > 0) return match.join(', ');
  return isDefault ? 'what no other chain takes' : 'every connection';
}

function filtersText({ filters, http }: Chain): string {
  return [...filters, ...(http?.filters ?? [])]
    .map(({ name }) => name.replace(/^envoy\.filters\.(network|http)\./, ''))
    .join(', ');
}

function leadsTo({ http, tcp }: Chain): string {
  if (http !== undefined) return http.routeConfigName || 'routes of its own';
  return tcp?.clusters.join(', ') ?? '–';
}
