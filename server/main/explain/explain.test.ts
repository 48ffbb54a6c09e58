// Connections: which listener gets them, what its filters make of them, and where they go.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explainedConfiguration } from '../../../tests/fakes/explained_configuration.ts';
import { describe as described, type PostedConnection, type PostedRequest } from './description.ts';
import { explain } from './explain.ts';
import type { Explanation } from './explanation.ts';

const TYPE = 'type.googleapis.com/envoy.';

function tcp(cluster: string, ...before: object[]): object[] {
  return [
    ...before,
    {
      name: 'tcp',
      typed_config: {
        '@type': `${TYPE}extensions.filters.network.tcp_proxy.v3.TcpProxy`,
        stat_prefix: 't',
        cluster,
      },
    },
  ];
}

function http(status: number, ...filters: readonly object[]): object[] {
  return [
    {
      name: 'http',
      typed_config: {
        '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
        stat_prefix: 'h',
        route_config: {
          name: 'r',
          virtual_hosts: [
            { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status } }] },
          ],
        },
        http_filters: [
          ...filters,
          { name: 'router', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
        ],
      },
    },
  ];
}

function listenerFilter(name: string): object {
  const type = {
    original_dst: 'OriginalDst',
    tls_inspector: 'TlsInspector',
    http_inspector: 'HttpInspector',
  }[name];
  return { name, typed_config: { '@type': `${TYPE}extensions.filters.listener.${name}.v3.${type}` } };
}

function listener(name: string, address: string, port: number, more: object): object {
  return { name, address: { socket_address: { address, port_value: port } }, ...more };
}

const RBAC = {
  name: 'rbac',
  typed_config: {
    '@type': `${TYPE}extensions.filters.network.rbac.v3.RBAC`,
    stat_prefix: 'x.',
    rules: {
      action: 'DENY',
      policies: {
        'no guests': {
          permissions: [{ any: true }],
          principals: [{ source_ip: { address_prefix: '10.9.0.0', prefix_len: 16 } }],
        },
      },
    },
  },
};
const HTTP_RBAC = {
  name: 'who',
  typed_config: {
    '@type': `${TYPE}extensions.filters.http.rbac.v3.RBAC`,
    rules: {
      policies: {
        readers: {
          permissions: [{ header: { name: ':method', string_match: { exact: 'GET' } } }],
          principals: [{ any: true }],
        },
      },
    },
  },
};
const SNI_CLUSTER = {
  name: 'sni_cluster',
  typed_config: { '@type': `${TYPE}extensions.filters.network.sni_cluster.v3.SniCluster` },
};

const CONFIGURATION = explainedConfiguration({
  listeners: [
    listener('outbound', '0.0.0.0', 15001, {
      traffic_direction: 'OUTBOUND',
      use_original_dst: true,
      listener_filters: [listenerFilter('original_dst')],
      filter_chains: [{ name: 'passthrough', filters: tcp('passthrough') }],
    }),
    listener('inbound', '0.0.0.0', 15006, {
      traffic_direction: 'INBOUND',
      listener_filters: [
        listenerFilter('original_dst'),
        listenerFilter('tls_inspector'),
        listenerFilter('http_inspector'),
      ],
      filter_chains: [
        {
          name: 'http',
          filter_chain_match: { destination_port: 8080, application_protocols: ['http/1.1', 'h2c'] },
          filters: http(201),
        },
        {
          name: 'tls',
          filter_chain_match: {
            destination_port: 8080,
            transport_protocol: 'tls',
            server_names: ['*.db.internal'],
          },
          filters: tcp('fallback', SNI_CLUSTER),
        },
        { name: 'guarded', filter_chain_match: { destination_port: 9090 }, filters: tcp('fallback', RBAC) },
      ],
    }),
    listener('service', '10.96.0.10', 80, { bind_to_port: false, filter_chains: [{ filters: http(202) }] }),
    listener('private', '10.96.0.11', 80, {
      bind_to_port: false,
      filter_chains: [{ filters: http(204, HTTP_RBAC) }],
    }),
    listener('any', '0.0.0.0', 9080, { bind_to_port: false, filter_chains: [{ filters: http(203) }] }),
  ],
  clusters: [
    { name: 'passthrough', type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED' },
    {
      name: 'fallback',
      type: 'STATIC',
      load_assignment: {
        cluster_name: 'fallback',
        endpoints: [
          {
            lb_endpoints: [
              { endpoint: { address: { socket_address: { address: '10.1.1.1', port_value: 1 } } } },
            ],
          },
        ],
      },
    },
  ],
});

function ask(connection: PostedConnection, request?: PostedRequest): Promise<Explanation> {
  return explain(CONFIGURATION, described(request, connection));
}

describe('redirected connections', () => {
  test('go to the listener of their destination, or of its port', async () => {
    const service = await ask({ destination: '10.96.0.10:80' }, { authority: 'x', path: '/' });
    assert.deepEqual([service.result.listener, service.response?.status], ['service', 202]);
    assert.match(
      service.steps[0]!.reason,
      /^'outbound' takes redirected connections; this one is for 10\.96\.0\.10:80$/,
    );
    const any = await ask({ destination: '10.5.5.5:9080' }, { authority: 'x', path: '/' });
    assert.deepEqual([any.result.listener, any.response?.status], ['any', 203]);
    const byName = await ask({}, { url: 'http://reviews:9080/' });
    assert.equal(byName.result.listener, 'any');
  });

  test('or stay, and go where they were going', async () => {
    const answer = await ask({ destination: '1.2.3.4:5432' });
    assert.deepEqual(
      [answer.result.listener, answer.result.cluster, answer.outcome],
      ['outbound', 'passthrough', 'tcp_forwarded'],
    );
    assert.deepEqual(
      answer.hosts.map(({ address, chosen }) => [address, chosen]),
      [['1.2.3.4:5432', true]],
    );
  });

  test('come in by the inbound listener, where inspectors look at them', async () => {
    const inbound = { direction: 'inbound', destination: '10.0.0.5:8080' } as const;
    const plain = await ask(inbound, { authority: 'x', path: '/' });
    assert.deepEqual([plain.result.filter_chain, plain.response?.status], ['http', 201]);
    const tls = await ask({ ...inbound, server_name: 'a.db.internal' });
    assert.deepEqual(
      [tls.result.filter_chain, tls.result.cluster, tls.outcome],
      ['tls', 'a.db.internal', 'no_cluster'],
    );
    const wrong = await ask({ ...inbound, server_name: 'db.internl' });
    assert.equal(wrong.outcome, 'no_filter_chain');
    assert.deepEqual(wrong.response, { status: 0, flags: ['NR'], details: 'filter_chain_not_found' });
    const rejected = wrong.steps.at(-1)!.rejected.find(({ name }) => name === 'tls')!;
    assert.deepEqual(rejected.first_failed, {
      what: "server name is '*.db.internal'",
      reason: "the server name is 'db.internl'",
    });
  });

  test('are judged by access control', async () => {
    const guarded = { direction: 'inbound', destination: '10.0.0.5:9090' } as const;
    const denied = await ask({ ...guarded, source: '10.9.1.1:4000' });
    assert.equal(denied.outcome, 'rejected');
    assert.equal(denied.response?.details, 'rbac_access_denied_matched_policy[no_guests]');
    assert.match(
      denied.summary,
      /network filter 'rbac' closes the connection: policy 'no guests' \(DENY\) matches: it is denied/,
    );
    const allowed = await ask({ ...guarded, source: '10.8.1.1:4000' });
    assert.deepEqual([allowed.outcome, allowed.hosts[0]?.address], ['tcp_forwarded', '10.1.1.1:1']);
  });
});

test('requests are judged by access control', async () => {
  const to = { destination: '10.96.0.11:80' };
  const read = await ask(to, { authority: 'x', path: '/' });
  assert.equal(read.response?.status, 204);
  const write = await ask(to, { authority: 'x', path: '/', method: 'POST' });
  assert.deepEqual(
    [write.outcome, write.response],
    ['rejected', { status: 403, flags: [], details: 'rbac_access_denied_matched_policy[none]' }],
  );
  assert.match(write.summary, /HTTP filter 'who' answers 403: .*no ALLOW policy matches: it is denied/);
});

test('TLS that one side does not speak', async () => {
  const answer = await ask({ listener: 'service', tls: true }, { authority: 'x', path: '/' });
  assert.equal(answer.outcome, 'rejected');
  assert.match(answer.summary, /the client speaks TLS, and the chain does not/);
});

test('a request that is refused before it is routed', async () => {
  const answer = await ask({ listener: 'service' }, { authority: 'x', path: 'no-slash' });
  assert.deepEqual(answer.response, { status: 404, flags: [], details: 'absolute_path_rejected' });
  const upgrade = await ask(
    { listener: 'service' },
    { authority: 'x', path: '/', headers: { connection: 'upgrade', upgrade: 'websocket' } },
  );
  assert.equal(upgrade.response?.details, 'upgrade_failed');
});
