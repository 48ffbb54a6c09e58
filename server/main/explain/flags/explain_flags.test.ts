// What is told of flags that take a certain moment to produce, or another server's help. The others are produced for real in
// tests/integration/explained_failures.test.ts.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { capturedRequest } from '../../../../tests/fakes/captured_request.ts';
import {
  explainedConfiguration,
  type JsonResources,
} from '../../../../tests/fakes/explained_configuration.ts';
import type { CapturedRequest } from '../../../common/capture/captured_request.ts';
import { RESPONSE_FLAG_NAMES } from '../../../common/stream_info/response_flags.ts';
import { explainFlags } from './explain_flags.ts';
import { DETAILS, FLAG_TITLES } from './flag_catalog.ts';
import type { FlagServices } from './flag_evidence.ts';
import type { FlagExplanation } from './flag_explanation.ts';

const TYPE = 'type.googleapis.com/envoy.';

function listener(name: string, port_value: number, ...filters: object[]): object {
  const routes = {
    name: 'main',
    virtual_hosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [
          { name: 'cart', match: { prefix: '/cart' }, route: { cluster: 'cart', timeout: '3s' } },
          { name: 'gone', match: { prefix: '/gone' }, route: { cluster: 'gone' } },
        ],
      },
    ],
  };
  const router = {
    name: 'router',
    typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` },
  };
  const manager = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'h',
    request_timeout: '7s',
    route_config: routes,
    http_filters: [...filters, router],
  };
  return {
    name,
    address: { socket_address: { address: '0.0.0.0', port_value } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  };
}

const LATE = {
  name: 'late',
  config_discovery: {
    config_source: { ads: {}, resource_api_version: 'V3' },
    type_urls: [`${TYPE}extensions.filters.http.fault.v3.HTTPFault`],
  },
};

const RESOURCES: JsonResources = {
  listeners: [listener('http', 10_000), listener('late', 10_001, LATE)],
  clusters: [
    {
      name: 'cart',
      connect_timeout: '0.25s',
      type: 'EDS',
      eds_cluster_config: { eds_config: { ads: {} }, service_name: 'cart.svc' },
    },
  ],
};

async function explained(
  request: Partial<CapturedRequest>,
  services: Partial<FlagServices> = {},
): Promise<FlagExplanation> {
  const all: FlagServices = {
    configuration: explainedConfiguration(RESOURCES),
    resources: () => [],
    unreadyTargets: () => [],
    stat: () => undefined,
    ...services,
  };
  const [first] = await explainFlags(capturedRequest(request), all);
  return first as FlagExplanation;
}

describe('explanations', () => {
  test('every flag has one, with a title', async () => {
    for (const { short, long } of RESPONSE_FLAG_NAMES) {
      const { flag, name, title, reason } = await explained({ flags: [short] });
      assert.deepEqual([flag, name, title], [short, long, FLAG_TITLES[short]]);
      assert.notEqual(reason, '', short);
    }
    for (const details of Object.keys(DETAILS)) {
      const { flag, title, advice } = await explained({ flags: [], details, status: 400 });
      assert.deepEqual([flag, title], ['', DETAILS[details]?.title], details);
      assert.ok(advice.length > 0, details);
    }
  });

  test('UH without endpoints from the control plane', async () => {
    const { reason, advice } = await explained({ flags: ['UH'], details: 'no_healthy_upstream', host: '' });
    assert.match(reason, /the control plane has sent no endpoints of 'cart\.svc'/);
    assert.match(advice[0]!, /endpoints that are ready/);
  });

  test('UF after connect_timeout', async () => {
    const { reason, advice } = await explained({
      details: 'upstream_reset_before_response_started{connection_timeout}',
    });
    assert.match(
      reason,
      /Host 10\.0\.0\.1:80 of cluster 'cart' did not accept the connection within connect_timeout \(250 ms\)/,
    );
    assert.match(advice.join(' '), /raise connect_timeout/);
  });

  test('UF by a host that wants a client certificate', async () => {
    const transport_failure =
      'TLS_error:|268436454:SSL routines:OPENSSL_internal:TLSV1_ALERT_CERTIFICATE_REQUIRED:TLS_error_end';
    const { advice } = await explained({ transport_failure });
    assert.match(advice[0]!, /wants a client certificate/);
  });

  test('NC of a cluster that was refused, that warms, that is nowhere', async () => {
    const nowhere = await explained({ flags: ['NC'], path: '/gone', route: 'gone', cluster: '' });
    assert.match(
      nowhere.reason,
      /cluster 'gone', and there is none: it was never configured, or has been removed/,
    );
    const status = {
      kind: 'cluster',
      name: 'gone',
      isStatic: false,
      active: undefined,
      warming: undefined,
    } as const;
    const failure = {
      bytes: new Uint8Array(0),
      version: '1',
      at: 0,
      path: 'lb_policy',
      reason: 'unknown value 9',
    };
    const refused = await explained(
      { flags: ['NC'], path: '/gone' },
      { resources: () => [{ ...status, failure }] },
    );
    assert.match(refused.reason, /there is none: it was refused: lb_policy: unknown value 9/);
    const warming = await explained(
      { flags: ['NC'], path: '/gone' },
      { unreadyTargets: () => [{ name: 'cluster gone', targetNames: ['SdsApi client-cert'] }] },
    );
    assert.match(warming.reason, /it is warming, and waits for SdsApi client-cert/);
  });

  test('NFCF names the filter', async () => {
    const { reason } = await explained({
      listener: 'late',
      flags: ['NFCF'],
      status: 500,
      details: 'filter_config_not_available',
    });
    assert.match(
      reason,
      /^The configuration of HTTP filter 'late' has not come from the control plane \(ECDS\)/,
    );
  });

  test('a slow client, with the limit', async () => {
    const { reason } = await explained({ flags: [], status: 408, details: 'request_overall_timeout' });
    assert.match(
      reason,
      /did not send all of its request within 7000 ms \(request_timeout of the connection manager\)/,
    );
  });

  test('UC on a connection that had been used before', async () => {
    const phases = [{ name: 'wait_for_response', start_ms: 1, end_ms: 4 }] as const;
    const { reason, advice } = await explained({ flags: ['UC'], phases });
    assert.match(
      reason,
      /closed a connection that had been used before, before it had answered, 3 ms after the request was sent/,
    );
    assert.match(advice[0]!, /idle_timeout of the cluster/);
  });
});
