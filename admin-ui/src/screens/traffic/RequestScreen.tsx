// One kept request: why it ended so, where its time went, what it was, and what went on.

import type { ReactNode } from 'react';
import { useAnswer } from '../../api/queries.ts';
import type { Header, RequestDetail } from '../../api/requestTypes.ts';
import type { ResourceKind } from '../../api/types.ts';
import { NoAnswer } from '../../components/EmptyState.tsx';
import { KeyValues } from '../../components/KeyValues.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { ScreenLink } from '../../components/ScreenLink.tsx';
import { Section } from '../../components/Section.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { toast } from '../../components/Toasts.tsx';
import { bytes, milliseconds } from '../../format.ts';
import { resourceTarget } from '../resourceTarget.ts';
import { Explanations } from './Explanations.tsx';
import { LinkedFlags, Status } from './Status.tsx';
import { Waterfall } from './Waterfall.tsx';
import './traffic.css';

export function RequestScreen({ id }: { id: string }) {
  const { data, error } = useAnswer<RequestDetail>(`/api/requests/${encodeURIComponent(id)}`);
  const parent = { title: 'Traffic', params: { request: '' }, keep: true };
  if (data === undefined) {
    return (
      <div className="screen">
        <ScreenHead title={id} parent={parent} />
        <NoAnswer error={error} />
      </div>
    );
  }
  const explanations = data.explanations ?? [];
  return (
    <div className="screen">
      <ScreenHead
        title={`${data.method} ${data.authority}${data.path}`}
        parent={parent}
        note={
          <span className="request-note">
            <Status status={data.status} /> <LinkedFlags flags={data.flags} />{' '}
            {milliseconds(data.duration_ms)}, <TimeAgo at={data.at} />
          </span>
        }
      >
        <ScreenLink screen="/explain" params={{ captured: data.id }} className="button">
          Explain
        </ScreenLink>
        <CopyCurl curl={data.curl} />
      </ScreenHead>
      {explanations.length > 0 && (
        <Section title="Why">
          <Explanations explanations={explanations} />
        </Section>
      )}
      <Section title="Time" note={data.phases.length === 0 ? undefined : milliseconds(data.duration_ms)}>
        {data.phases.length === 0 ? (
          <p className="quiet">It reached no phase.</p>
        ) : (
          <Waterfall request={data} />
        )}
        {data.attempt_log.length > 0 && <Attempts request={data} />}
      </Section>
      <div className="columns">
        <Section title="Request">
          <KeyValues items={requestFacts(data)} />
        </Section>
        <Section title="Upstream">
          <KeyValues items={upstreamFacts(data)} />
        </Section>
      </div>
      <div className="columns">
        <Headers title="Request headers" headers={data.request_headers} />
        <Headers title="Response headers" headers={data.response_headers} />
      </div>
      {data.truncated && <p className="quiet">Some of it was longer than what is kept.</p>}
    </div>
  );
}

type Facts = readonly (readonly [string, ReactNode | undefined])[];

/** Left out where there is nothing to say. */
function said(text: string): ReactNode | undefined {
  return text === '' ? undefined : <span className="mono">{text}</span>;
}

/** A link to a resource, where there is one. */
function linked(kind: ResourceKind, name: string): ReactNode | undefined {
  return name === '' ? undefined : <ScreenLink {...resourceTarget(kind, name)}>{name}</ScreenLink>;
}

function joined(...parts: readonly string[]): ReactNode | undefined {
  return said(parts.filter((part) => part !== '').join(', '));
}

function requestFacts(request: RequestDetail): Facts {
  return [
    ['Listener', linked('listener', request.listener)],
    ['Filter chain', said(request.filter_chain)],
    ['Route configuration', linked('route', request.route_config)],
    ['Virtual host', said(request.virtual_host)],
    ['Route', said(request.route)],
    ['Client', said(request.client)],
    ['Peer', said(request.peer)],
    ['Accepted at', said(request.local)],
    ['Protocol', joined(request.protocol, request.tls, request.server_name)],
    ['Request id', said(request.request_id)],
    ['Trace', said(request.trace_id)],
    ['Body', `${bytes(request.bytes_received)} received, ${bytes(request.bytes_sent)} sent`],
    ['Details', said(request.details)],
    ['Termination', said(request.termination_details)],
  ];
}

function upstreamFacts(request: RequestDetail): Facts {
  const { cluster, upstream_authority, upstream_path, authority, path, upstream_connection_id } = request;
  const rewritten = upstream_authority !== authority || upstream_path !== path;
  return [
    ['Cluster', cluster === '' ? 'none was chosen' : linked('cluster', cluster)],
    ['Host', said(request.host)],
    ['Attempts', String(request.attempts)],
    ['Sent as', rewritten ? said(`${upstream_authority}${upstream_path}`) : undefined],
    ['Protocol', joined(request.upstream_protocol, request.upstream_tls)],
    ['Peer', said(request.upstream_peer)],
    ['From', said(request.upstream_local)],
    ['Connection', upstream_connection_id > 0 ? said(String(upstream_connection_id)) : undefined],
    ['gRPC status', said(request.grpc_status)],
    ['Transport failure', said(request.transport_failure)],
  ];
}

function Attempts({ request }: { request: RequestDetail }) {
  return (
    <ol className="attempts">
      {request.attempt_log.map(({ number, host, outcome, at_ms }) => (
        <li key={number}>
          Attempt {number} at <span className="mono">{host === '' ? 'no host' : host}</span> was given up
          after {milliseconds(at_ms)}: {outcome}
        </li>
      ))}
    </ol>
  );
}

function Headers({ title, headers }: { title: string; headers: readonly Header[] }) {
  return (
    <Section title={title}>
      {headers.length === 0 ? (
        <p className="quiet">None.</p>
      ) : (
        <dl className="headers mono">
          {headers.map(({ name, value }, place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a name may come twice
            <div key={place}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </Section>
  );
}

function CopyCurl({ curl }: { curl: string }) {
  const copy = (): void => {
    navigator.clipboard.writeText(curl).then(
      () => toast('Copied'),
      // Without TLS, a browser only lets pages of its own machine do that.
      () => toast(curl),
    );
  };
  return (
    <button type="button" className="button" onClick={copy} title={curl}>
      Copy as curl
    </button>
  );
}
