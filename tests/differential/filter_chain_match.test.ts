// Random filter chains behind a real Envoy, each answering with its name, and the same chains in our matcher: the same
// connections must find the same chain, and both must refuse the same configurations.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import fc from 'fast-check';
import { ipAddress } from '../../server/common/network/address.ts';
import {
  compileFilterChainMatch,
  type FilterChainMatcher,
} from '../../server/common/network/filter_chain_match.ts';
import { ConnectionInfoRecord } from '../../server/common/stream_info/stream_info.ts';
import { httpInspectorFactory } from '../../server/extensions/filters/listener/http_inspector/config.ts';
import { tlsInspectorFactory } from '../../server/extensions/filters/listener/tls_inspector/config.ts';
import type { FilterChain } from '../../xds-protos/generated/envoy/config/listener/v3.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { fakeFactoryContext } from '../fakes/factory_context.ts';
import { ENVOY_BIN, EnvoyProcess, validate } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const SEED = 7;
const LISTENERS = 12;

// Not 0.0.0.0/0: beside a chain without ranges, Envoy's choice between the two changes from start to start.
const range = fc
  .constantFrom('127.0.0.0/8', '127.0.0.0/30', '127.0.0.2/32', '127.0.0.3/32', '10.0.0.0/8', '127.0.0.2/40')
  .map((text) => ({ address_prefix: text.split('/')[0], prefix_len: Number(text.split('/')[1]) }));
const ranges = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  fc.uniqueArray(range, { maxLength: 2, selector: JSON.stringify }),
);
const match = fc.record({
  prefix_ranges: ranges,
  direct_source_prefix_ranges: ranges,
  source_prefix_ranges: ranges,
  source_type: fc.constantFrom('ANY', 'ANY', 'SAME_IP_OR_LOOPBACK', 'EXTERNAL'),
  server_names: fc.uniqueArray(fc.constantFrom('a.b.c', '*.b.c', '*.c', 'C'), { maxLength: 2 }),
  transport_protocol: fc.constantFrom('', '', 'tls', 'raw_buffer'),
  application_protocols: fc.uniqueArray(fc.constantFrom('h2', 'http/1.1', 'h2c'), { maxLength: 2 }),
});
type Match = typeof match extends fc.Arbitrary<infer T> ? T : never;

const answer = (name: string) => ({
  name: 'direct_response',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config',
    response: { inline_string: name },
  },
});
const inspector = (name: string, type: string) => ({
  name: `envoy.filters.listener.${name}`,
  typed_config: { '@type': `type.googleapis.com/envoy.extensions.filters.listener.${name}.v3.${type}` },
});

function listener(name: string, matches: readonly object[]) {
  const chains = matches.map((one, i) => ({
    name: `chain ${i}`,
    filter_chain_match: one,
    filters: [answer(`chain ${i}`)],
  }));
  return {
    name,
    address: { socket_address: { address: '0.0.0.0', port_value: 0 } },
    listener_filters: [
      inspector('tls_inspector', 'TlsInspector'),
      inspector('http_inspector', 'HttpInspector'),
    ],
    filter_chains: chains,
    default_filter_chain: { name: 'default', filters: [answer('default')] },
  };
}

/** Throws what ours says against it. */
function ours(config: ReturnType<typeof listener>): FilterChainMatcher<string> {
  const { filter_chains } = fromJson('envoy.config.listener.v3.Listener', config);
  const entries = filter_chains.map((chain: FilterChain, index) => ({
    index,
    name: chain.name,
    match: chain.filter_chain_match,
    chain: chain.name,
  }));
  return compileFilterChainMatch(entries, 'default', '');
}

function clientHello(servername: string, protocols: string[]): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk);
        done();
      },
    });
    const sni = servername === '' ? {} : { servername };
    tlsConnect({ socket: wire, ...sni, ALPNProtocols: protocols }).on('error', () => {});
  });
}

interface Attempt {
  readonly source: string;
  readonly destination: string;
  readonly bytes: Buffer;
}

/** The chain that Envoy names in its answer. */
async function askEnvoy(port: number, { source, destination, bytes }: Attempt): Promise<string> {
  const socket = connect({ host: destination, port, localAddress: source });
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (data: Buffer) => (text += data.toString('latin1')));
  socket.write(bytes);
  await once(socket, 'close');
  return text;
}

const context = fakeFactoryContext();
const inspectors = [tlsInspectorFactory, httpInspectorFactory].map((factory) =>
  factory.compile({} as never, context, ''),
);

/** The chain that we would choose, listener filters included. */
function askOurs(
  matcher: FilterChainMatcher<string>,
  { source, destination, bytes }: Attempt,
): string | undefined {
  const info = new ConnectionInfoRecord(1, ipAddress(source, 1), ipAddress(destination, 2), 'l');
  for (const inspect of inspectors) {
    const filter = inspect.createFilter();
    const callbacks = {
      info,
      fd: -1,
      continueFilterChain() {},
      setDynamicMetadata() {},
      streamInfo: undefined as never,
    };
    if (filter.onAccept(callbacks) !== 0) filter.onData!(bytes);
  }
  return matcher.find(info);
}

const sets = fc.sample(fc.array(match, { minLength: 2, maxLength: 7 }), { numRuns: 60, seed: SEED });

function compiles(matches: readonly Match[]): boolean {
  try {
    ours(listener('l', matches));
    return true;
  } catch {
    return false;
  }
}

describe('filter chain match beside Envoy', { skip: SKIP }, () => {
  test('the same chains for the same connections', async () => {
    const configs = sets
      .filter(compiles)
      .slice(0, LISTENERS)
      .map((matches, i) => listener(`listener ${i}`, matches));
    assert.equal(configs.length, LISTENERS);
    const envoy = await EnvoyProcess.start({ static_resources: { listeners: configs } });
    try {
      const hellos = ['', 'a.b.c', 'x.b.c', 'b.c', 'c', 'C', 'z.a.c'].flatMap((name) =>
        [['h2'], ['http/1.1', 'h2'], ['x']].map((protocols) => clientHello(name, protocols)),
      );
      const payloads = [
        ...(await Promise.all(hellos)),
        Buffer.from('GET / HTTP/1.1\r\n\r\n'),
        Buffer.from('hello\n'),
      ];
      const attempt = fc.record({
        source: fc.constantFrom('127.0.0.1', '127.0.0.2', '127.0.0.3', '127.1.0.1'),
        destination: fc.constantFrom('127.0.0.1', '127.0.0.2', '127.0.0.3', '127.9.0.1'),
        bytes: fc.constantFrom(...payloads),
      });
      const answers = new Set<string>();
      for (const config of configs) {
        const matcher = ours(config);
        const attempts = fc.sample(attempt, { numRuns: 40, seed: SEED });
        const theirs = await Promise.all(attempts.map((one) => askEnvoy(envoy.ports.get(config.name)!, one)));
        attempts.forEach((one, i) => {
          assert.equal(
            askOurs(matcher, one),
            theirs[i],
            `${one.source} to ${one.destination}, ${JSON.stringify(config.filter_chains)}`,
          );
          answers.add(theirs[i]);
        });
      }
      assert.ok(answers.size > 3, 'the connections found several chains');
    } finally {
      await envoy.stop();
    }
  });

  test('the same configurations refused', () => {
    const odd: object[][] = [
      [{ server_names: ['w*.x'] }],
      [{ server_names: ['*'] }],
      [{ server_names: ['*.*.x'] }],
      [{ address_suffix: '10.0.0.1' }],
      [{ suffix_len: 8 }],
      [{ prefix_ranges: [{ address_prefix: 'nowhere' }] }],
      [{ server_names: ['a'] }, { server_names: ['A', 'b'] }],
      [{ server_names: ['a', 'a'] }],
      [{}, {}],
      [
        { prefix_ranges: [{ address_prefix: '10.1.0.0', prefix_len: 8 }] },
        { prefix_ranges: [{ address_prefix: '10.0.0.0', prefix_len: 8 }] },
      ],
    ];
    const refused = sets.filter((matches) => !compiles(matches)).slice(0, 4);
    for (const matches of [...odd, ...refused]) {
      const config = listener('l', matches);
      const theirs = validate({ static_resources: { listeners: [config] } });
      let mine: string | undefined;
      try {
        ours(config);
      } catch (error) {
        mine = (error as Error).message;
      }
      assert.equal(
        mine === undefined,
        theirs === undefined,
        `${JSON.stringify(matches)}: ${mine} / ${theirs}`,
      );
      const reason =
        /overlapping matching rules|same matching rules|partial wildcards|unimplemented fields|malformed IP address/;
      if (mine !== undefined) assert.equal(reason.exec(theirs!)?.[0], reason.exec(mine)?.[0]);
    }
  });
});
