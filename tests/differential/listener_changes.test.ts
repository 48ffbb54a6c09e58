// What the listener manager says while listeners change: stats and states in /config_dump, step by step. Written down from
// Envoy, and asked of both proxies.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ControlPlane, staticCluster } from '../integration/control_plane.ts';
import { eventually } from '../integration/proxy_process.ts';
import { chainFrom, directResponse, echoFilter, listener } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';

const DRAIN_TIME_S = 5;
const DRAINED_MS = 15_000;

interface DumpedState {
  readonly listener: { readonly per_connection_buffer_limit_bytes?: number };
}
interface DynamicListener {
  readonly name: string;
  readonly active_state?: DumpedState;
  readonly warming_state?: DumpedState;
  readonly draining_state?: DumpedState;
}
interface ListenersDump {
  readonly '@type': string;
  readonly dynamic_listeners?: readonly DynamicListener[];
}

const said = (text: string) => chainFrom('127.0.0.2', [directResponse(text)]);
const echo = chainFrom('127.0.0.3', [echoFilter()]);
const fallback = { default_filter_chain: { filters: [echoFilter()] } };
/** Its versions are told apart by this limit. */
const limited = (bytes: number): object =>
  listener('m', 0, [said('m')], { per_connection_buffer_limit_bytes: bytes });

type Step = (plane: ControlPlane) => Promise<string | undefined>;
const set =
  (name: string, resource: object): Step =>
  (plane) =>
    plane.set('listener', { [name]: resource });

/** After each step: states as `name state limit`, and the stats that are not 0. */
const STEPS: readonly { readonly what: string; readonly step: Step; readonly expected: string }[] = [
  {
    what: 'a chain changes',
    step: set('l', listener('l', 0, [said('2'), echo])),
    expected:
      'l active, m active 1 | added 2, create_success 3, in_place_updated 1, modified 1, filter_chains_draining 1, active 2',
  },
  {
    what: 'a chain goes',
    step: set('l', listener('l', 0, [echo])),
    expected:
      'l active, m active 1 | added 2, create_success 4, in_place_updated 2, modified 2, filter_chains_draining 2, active 2',
  },
  {
    what: 'a listener is replaced',
    step: set('m', limited(2)),
    expected:
      'l active, m active 2 draining 1 | added 2, create_success 5, in_place_updated 2, modified 3, filter_chains_draining 2, active 2, draining 1',
  },
  {
    what: 'again',
    step: set('m', limited(3)),
    expected:
      'l active, m active 3 draining 1 | added 2, create_success 6, in_place_updated 2, modified 4, filter_chains_draining 2, active 2, draining 2',
  },
  {
    what: 'it is removed',
    step: (plane) => plane.remove('listener', 'm'),
    expected:
      'l active, m draining 1 | added 2, create_success 6, in_place_updated 2, modified 4, removed 1, filter_chains_draining 2, active 1, draining 3',
  },
  {
    what: 'it comes back',
    step: set('m', limited(4)),
    expected:
      'l active, m active 4 draining 1 | added 3, create_success 7, in_place_updated 2, modified 4, removed 1, filter_chains_draining 2, active 2, draining 3',
  },
  {
    what: 'a default chain comes',
    step: set('l', listener('l', 0, [echo], fallback)),
    expected:
      'l active, m active 4 draining 1 | added 3, create_success 8, in_place_updated 3, modified 5, removed 1, filter_chains_draining 2, active 2, draining 3',
  },
  {
    what: 'only the default chain is left, which is no update in place',
    step: set('l', listener('l', 0, [], fallback)),
    expected:
      'l active draining, m active 4 draining 1 | added 3, create_success 9, in_place_updated 3, modified 6, removed 1, filter_chains_draining 2, active 2, draining 4',
  },
];
const AFTER_ALL =
  'l active, m active 4 | added 3, create_success 9, in_place_updated 3, modified 6, removed 1, active 2';

async function states(proxy: EnvoyProcess): Promise<string> {
  const { configs } = (await (await fetch(`${proxy.admin}/config_dump`)).json()) as {
    configs: ListenersDump[];
  };
  const dump = configs.find((each) => each['@type'].endsWith('ListenersConfigDump'));
  const lines = (dump?.dynamic_listeners ?? []).map((one) => {
    const words = [one.name];
    for (const state of ['active', 'warming', 'draining'] as const) {
      const dumped = one[`${state}_state`];
      if (dumped === undefined) continue;
      const limit = dumped.listener.per_connection_buffer_limit_bytes;
      words.push(state, ...(limit === undefined ? [] : [String(limit)]));
    }
    return words.join(' ');
  });
  return lines.sort().join(', ');
}

async function stats(proxy: EnvoyProcess): Promise<string> {
  const filter = '^listener_manager\\.(listener_|total_)';
  const text = await (await fetch(`${proxy.admin}/stats?filter=${encodeURIComponent(filter)}`)).text();
  return text
    .replaceAll(/listener_manager\.(listener_|total_listeners_|total_)/g, '')
    .replaceAll(': ', ' ')
    .trim()
    .split('\n')
    .filter((line) => !line.endsWith(' 0'))
    .join(', ');
}

const situation = async (proxy: EnvoyProcess): Promise<string> =>
  `${await states(proxy)} | ${await stats(proxy)}`;

for (const [name, command] of [
  ['Pilotfish', PILOTFISH],
  ['Envoy', ENVOY_BIN === undefined ? undefined : [ENVOY_BIN]],
] as const) {
  suite(name, { skip: command === undefined && 'no Envoy: set ENVOY_BIN' }, () => {
    test('tells what changes and drains', { timeout: 60_000 }, async (context) => {
      const plane = await ControlPlane.start();
      context.after(() => plane.close());
      plane.hold('listener', 'l', listener('l', 0, [said('1'), echo]));
      plane.hold('listener', 'm', limited(1));
      const xds = {
        ...staticCluster('xds', plane.server.port),
        typed_extension_protocol_options: {
          'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
            '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
            explicit_http_config: { http2_protocol_options: {} },
          },
        },
      };
      const bootstrap = plane.bootstrap({ static_resources: { clusters: [xds] } });
      const proxy = await EnvoyProcess.start(bootstrap, [
        ...command!,
        '--drain-time-s',
        String(DRAIN_TIME_S),
      ]);
      context.after(() => proxy.stop());
      for (const { what, step, expected } of STEPS) {
        assert.equal(await step(plane), undefined, what);
        // The last words are worth showing when they never become right.
        let last = '';
        await eventually(async () => (last = await situation(proxy)) === expected, what, 2000).catch(() =>
          assert.equal(last, expected, what),
        );
      }
      await eventually(async () => (await situation(proxy)) === AFTER_ALL, 'all have drained', DRAINED_MS);
    });
  });
}
