import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fakeFactoryContext } from '../../../tests/fakes/factory_context.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { ConnectionInfoRecord } from '../stream_info/stream_info.ts';
import { ipAddress } from './address.ts';
import { explainFilterChain } from './explain_filter_chains.ts';
import { compileFilterChainMatch } from './filter_chain_match.ts';
import { compileFilterChainMatcher } from './filter_chain_matcher.ts';

const ip = fc.constantFrom('10.0.0.1', '10.0.1.1', '127.0.0.1', '::1');
const range = fc
  .constantFrom(['10.0.0.0', 24], ['10.0.0.0', 8], ['0.0.0.0', 0], ['::', 0])
  .map(([address_prefix, prefix_len]) => ({ address_prefix, prefix_len }));
const ranges = fc.uniqueArray(range, { maxLength: 2, selector: (each) => JSON.stringify(each) });
const match = fc.record(
  {
    destination_port: fc.constantFrom(80, 81),
    prefix_ranges: ranges,
    server_names: fc.uniqueArray(fc.constantFrom('a.b.c', '*.b.c', '*.c'), { maxLength: 2 }),
    transport_protocol: fc.constantFrom('tls', 'raw_buffer'),
    application_protocols: fc.uniqueArray(fc.constantFrom('h2', 'http/1.1'), { maxLength: 2 }),
    direct_source_prefix_ranges: ranges,
    source_type: fc.constantFrom('ANY', 'SAME_IP_OR_LOOPBACK', 'EXTERNAL'),
    source_prefix_ranges: ranges,
    source_ports: fc.uniqueArray(fc.constantFrom(5, 6), { maxLength: 2 }),
  },
  { requiredKeys: [] },
);
const connection = fc
  .record({
    local: fc.tuple(ip, fc.constantFrom(80, 81, 82)),
    remote: fc.tuple(ip, fc.constantFrom(5, 6, 7)),
    name: fc.constantFrom('', 'a.b.c', 'x.b.c', 'b.c', 'c'),
    protocol: fc.constantFrom('', 'tls', 'raw_buffer'),
    alpn: fc.constantFrom<string[][]>([], ['h2'], ['http/1.1', 'h2']),
  })
  .map(({ local, remote, name, protocol, alpn }) => {
    const info = new ConnectionInfoRecord(1, ipAddress(...remote), ipAddress(...local), 'l');
    info.requestedServerName = name;
    info.detectedTransportProtocol = protocol;
    info.requestedApplicationProtocols = alpn;
    return info;
  });

test('the chain that is chosen fails none of its criteria, and one that alone is there is chosen when it fails none', () => {
  let chosen = 0;
  fc.assert(
    fc.property(match, fc.array(connection, { minLength: 10, maxLength: 20 }), (config, connections) => {
      const message = fromJson('envoy.config.listener.v3.FilterChainMatch', config);
      const matcher = compileFilterChainMatch(
        [{ name: 'a', index: 0, match: message, chain: 'a' }],
        undefined,
        '',
      );
      for (const info of connections) {
        const found = matcher.find(info) === 'a';
        if (found) chosen++;
        const node = explainFilterChain('a', message, info);
        assert.equal(node.matched, found, JSON.stringify({ config, node }));
        assert.equal(matcher.explain(info).matched, found);
      }
    }),
    { numRuns: 600 },
  );
  assert.ok(chosen > 100, `${chosen} were chosen`);
});

test('of several, the chosen one fails no criterion', () => {
  fc.assert(
    fc.property(
      fc.array(match, { minLength: 2, maxLength: 4 }),
      fc.array(connection, { minLength: 10, maxLength: 20 }),
      (configs, connections) => {
        const entries = configs.map((config, i) => ({
          name: String(i),
          index: i,
          match: fromJson('envoy.config.listener.v3.FilterChainMatch', config),
          chain: i,
        }));
        let matcher: ReturnType<typeof compileFilterChainMatch<number>>;
        try {
          matcher = compileFilterChainMatch(entries, undefined, '');
        } catch {
          // Two of them are for the same connections.
          return;
        }
        for (const info of connections) {
          const found = matcher.find(info);
          if (found === undefined) continue;
          assert.ok(explainFilterChain('', entries[found]!.match, info).matched);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('a matcher tree of filter chains explains what it finds', () => {
  const input = {
    name: 'port',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.DestinationPortInput',
    },
  };
  const to = (name: string): object => ({
    action: {
      name,
      typed_config: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: name },
    },
  });
  const keys = fc.uniqueArray(fc.constantFrom('80', '81', '82'), { minLength: 1 });
  fc.assert(
    fc.property(
      keys,
      fc.constantFrom('a', 'missing'),
      fc.boolean(),
      connection,
      (ports, name, fallback, info) => {
        const tree = fromJson('xds.type.matcher.v3.Matcher', {
          matcher_tree: {
            input,
            exact_match_map: { map: Object.fromEntries(ports.map((port) => [port, to(name)])) },
          },
        });
        const matcher = compileFilterChainMatcher(
          tree,
          [{ name: 'a', index: 0, match: undefined, chain: 'a' }],
          fallback ? 'default' : undefined,
          fakeFactoryContext(),
          '',
        );
        const found = matcher.find(info);
        const node = matcher.explain(info);
        assert.equal(node.matched, found === 'a');
        if (found === 'default') assert.equal(node.reason, 'the default filter chain');
      },
    ),
  );
});
