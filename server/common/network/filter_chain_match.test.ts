import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { FilterChainMatch } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { ConnectionInfo } from '../../api/stream_info.ts';
import { ConnectionInfoRecord } from '../stream_info/stream_info.ts';
import { ipAddress, isSameIpOrLoopback, parseIp, pipeAddress } from './address.ts';
import { compileFilterChainMatch, type FilterChainEntry } from './filter_chain_match.ts';

const NO_MATCH: FilterChainMatch = {
  prefix_ranges: [],
  address_suffix: '',
  source_prefix_ranges: [],
  source_ports: [],
  transport_protocol: '',
  application_protocols: [],
  server_names: [],
  source_type: 'ANY',
  direct_source_prefix_ranges: [],
};

function range(text: string): { address_prefix: string; prefix_len: { value: number } } {
  const [address_prefix, length] = text.split('/');
  return { address_prefix, prefix_len: { value: Number(length) } };
}

function chain(name: string, match: Partial<FilterChainMatch>): FilterChainEntry<string> {
  return { name, index: 0, match: { ...NO_MATCH, ...match }, chain: name };
}

function connection(facts: Partial<ConnectionInfo>): ConnectionInfo {
  const remote = facts.directRemoteAddress ?? facts.remoteAddress ?? ipAddress('10.9.9.9', 5555);
  const info = new ConnectionInfoRecord(1, remote, ipAddress('10.0.0.1', 80), 'l');
  const { directRemoteAddress: _, ...rest } = facts;
  return Object.assign(info, rest);
}

function find(entries: FilterChainEntry<string>[], facts: Partial<ConnectionInfo>): string | undefined {
  return compileFilterChainMatch(entries, 'default', '').find(connection(facts));
}

describe('precedence', () => {
  test('destination port comes before everything, and a dead end below it is the default chain', () => {
    const entries = [
      chain('port', { destination_port: { value: 80 }, transport_protocol: 'tls' }),
      chain('any port', { prefix_ranges: [range('10.0.0.1/32')] }),
    ];
    assert.equal(find(entries, { detectedTransportProtocol: 'tls' }), 'port');
    assert.equal(find(entries, {}), 'default');
    assert.equal(find(entries, { localAddress: ipAddress('10.0.0.1', 81) }), 'any port');
  });

  test('the longest prefix wins and shadows shorter ones', () => {
    const entries = [
      chain('wide', { prefix_ranges: [range('10.0.0.0/8')] }),
      chain('narrow tls', { prefix_ranges: [range('10.0.0.0/24')], transport_protocol: 'tls' }),
      chain('v6', { prefix_ranges: [range('fd00::/8')] }),
    ];
    assert.equal(find(entries, { localAddress: ipAddress('10.1.0.1', 80) }), 'wide');
    assert.equal(find(entries, {}), 'default');
    assert.equal(find(entries, { localAddress: ipAddress('fd12::1', 80) }), 'v6');
    assert.equal(find(entries, { localAddress: ipAddress('::ffff:10.1.0.1', 80) }), 'wide');
  });

  test('server names: exact, then wildcards label by label, then none', () => {
    const entries = [
      chain('exact', { server_names: ['a.Example.com'] }),
      chain('two labels', { server_names: ['*.example.com'] }),
      chain('one label', { server_names: ['*.com'] }),
      chain('none', {}),
    ];
    assert.equal(find(entries, { requestedServerName: 'a.example.com' }), 'exact');
    assert.equal(find(entries, { requestedServerName: 'b.c.example.com' }), 'two labels');
    assert.equal(find(entries, { requestedServerName: 'example.com' }), 'one label');
    assert.equal(find(entries, { requestedServerName: 'com' }), 'none');
    assert.equal(find(entries, { requestedServerName: '' }), 'none');
  });

  test('application protocols are tried in the order of the client', () => {
    const entries = [
      chain('h1', { application_protocols: ['http/1.1'] }),
      chain('h2', { application_protocols: ['h2'] }),
    ];
    assert.equal(find(entries, { requestedApplicationProtocols: ['x', 'h2', 'http/1.1'] }), 'h2');
    assert.equal(find(entries, { requestedApplicationProtocols: ['x'] }), 'default');
  });

  test('source type, source prefix and source port', () => {
    const entries = [
      chain('local', { source_type: 'SAME_IP_OR_LOOPBACK' }),
      chain('external', { source_type: 'EXTERNAL', source_prefix_ranges: [range('10.9.0.0/16')] }),
      chain('external port', {
        source_type: 'EXTERNAL',
        source_prefix_ranges: [range('10.9.0.0/16')],
        source_ports: [7],
      }),
    ];
    assert.equal(find(entries, { remoteAddress: ipAddress('10.0.0.1', 7) }), 'local');
    assert.equal(find(entries, { remoteAddress: pipeAddress('') }), 'local');
    assert.equal(find(entries, {}), 'external');
    assert.equal(find(entries, { remoteAddress: ipAddress('10.9.1.1', 7) }), 'external port');
    assert.equal(find(entries, { remoteAddress: ipAddress('10.8.1.1', 7) }), 'default');
  });

  test('the direct source is the peer on the wire, the source what proxy_protocol says', () => {
    const entries = [chain('lb', { direct_source_prefix_ranges: [range('10.2.0.0/16')] })];
    assert.equal(find(entries, { directRemoteAddress: ipAddress('10.2.0.1', 1) }), 'lb');
    assert.equal(
      find(entries, {
        remoteAddress: ipAddress('10.2.0.1', 1),
        directRemoteAddress: ipAddress('10.3.0.1', 1),
      }),
      'default',
    );
  });
});

describe('rejected', () => {
  const rejects = (entries: FilterChainEntry<string>[], message: RegExp) =>
    assert.throws(
      () => compileFilterChainMatch(entries, undefined, ''),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, message);
        return true;
      },
    );

  test('equal and overlapping chains', () => {
    rejects(
      [chain('a', {}), chain('b', {})],
      /^filter_chains\[1\]: filter chain 'b' has the same matching rules defined as 'a'/,
    );
    rejects(
      [chain('a', { server_names: ['x', 'y'] }), chain('b', { server_names: ['y', 'z'] })],
      /multiple filter chains with overlapping matching rules are defined/,
    );
  });

  test('partial wildcards, unimplemented fields and bad addresses', () => {
    rejects(
      [chain('a', { server_names: ['w*.x'] })],
      /server_names\[0\]: partial wildcards are not supported/,
    );
    rejects([chain('a', { server_names: ['*'] })], /partial wildcards/);
    rejects([chain('a', { address_suffix: '10' })], /filter chain 'a' contains unimplemented fields/);
    rejects(
      [chain('a', { prefix_ranges: [range('nowhere/8')] })],
      /prefix_ranges\[0\]\.address_prefix: malformed IP address: nowhere/,
    );
  });
});

const smallIp = fc.constantFrom('10.0.0.1', '10.0.1.1', '127.0.0.1', '127.0.0.2', '::1', 'fd00::7');
const smallRange = fc.constantFrom(
  '10.0.0.0/8',
  '10.0.0.0/24',
  '10.0.0.1/32',
  '127.0.0.0/8',
  'fd00::/8',
  '::1/128',
);
const ranges = fc.uniqueArray(smallRange, { maxLength: 2 }).map((list) => list.map(range));
const anyMatch: fc.Arbitrary<Partial<FilterChainMatch>> = fc.record({
  destination_port: fc.constantFrom(undefined, { value: 80 }, { value: 81 }),
  prefix_ranges: ranges,
  server_names: fc.uniqueArray(fc.constantFrom('a.b.c', '*.b.c', '*.c', 'c'), { maxLength: 2 }),
  transport_protocol: fc.constantFrom('', 'tls', 'raw_buffer'),
  application_protocols: fc.uniqueArray(fc.constantFrom('h2', 'http/1.1'), { maxLength: 2 }),
  direct_source_prefix_ranges: ranges,
  source_type: fc.constantFrom('ANY', 'SAME_IP_OR_LOOPBACK', 'EXTERNAL'),
  source_prefix_ranges: ranges,
  source_ports: fc.uniqueArray(fc.constantFrom(5, 6), { maxLength: 2 }),
});
const anyConnection: fc.Arbitrary<Partial<ConnectionInfo>> = fc.record({
  localAddress: fc.tuple(smallIp, fc.constantFrom(80, 81, 82)).map(([ip, port]) => ipAddress(ip, port)),
  remoteAddress: fc.tuple(smallIp, fc.constantFrom(5, 6, 7)).map(([ip, port]) => ipAddress(ip, port)),
  directRemoteAddress: smallIp.map((ip) => ipAddress(ip, 5)),
  requestedServerName: fc.constantFrom('', 'c', 'a.b.c', 'x.a.b.c', 'b.c', 'z.c'),
  detectedTransportProtocol: fc.constantFrom('', 'tls', 'raw_buffer'),
  requestedApplicationProtocols: fc.constantFrom<string[][]>([], ['h2'], ['http/1.1', 'h2'], ['other']),
});

/** The documented rule, told differently: at each criterion only the chains with the most specific fitting value stay. */
function oracle(entries: FilterChainEntry<string>[], info: ConnectionInfo): string {
  const prefix = (
    text: string,
    ranges: readonly { address_prefix: string; prefix_len?: { value: number } }[],
  ) => {
    const ip = parseIp(text)!;
    let best = ranges.length === 0 ? 0 : -1;
    for (const { address_prefix, prefix_len } of ranges) {
      const base = parseIp(address_prefix)!;
      const bits = BigInt((ip.version === 4 ? 32 : 128) - prefix_len!.value);
      if (base.version === ip.version && base.value >> bits === ip.value >> bits)
        best = Math.max(best, 1 + prefix_len!.value);
    }
    return best;
  };
  const choice = <V>(values: readonly V[], wanted: readonly V[]) => {
    const ranks = values.map((value) => (wanted.includes(value) ? 1000 - wanted.indexOf(value) : -1));
    return values.length === 0 ? 0 : Math.max(...ranks);
  };
  const labels = info.requestedServerName.split('.');
  const names = [
    info.requestedServerName,
    ...labels.slice(1).map((_, i) => `*.${labels.slice(i + 1).join('.')}`),
  ];
  const local = isSameIpOrLoopback(info.remoteAddress, info.localAddress)
    ? 'SAME_IP_OR_LOOPBACK'
    : 'EXTERNAL';
  const scores: ((match: FilterChainMatch) => number)[] = [
    (match) => choice(match.destination_port ? [match.destination_port.value] : [], [info.localAddress.port]),
    (match) => prefix(info.localAddress.ip, match.prefix_ranges),
    (match) => choice(match.server_names, names),
    (match) =>
      choice(match.transport_protocol ? [match.transport_protocol] : [], [
        info.detectedTransportProtocol || 'raw_buffer',
      ]),
    (match) => choice(match.application_protocols, info.requestedApplicationProtocols),
    (match) => prefix(info.directRemoteAddress.ip, match.direct_source_prefix_ranges),
    (match) => (match.source_type === 'ANY' ? 0 : match.source_type === local ? 1 : -1),
    (match) => prefix(info.remoteAddress.ip, match.source_prefix_ranges),
    (match) => choice(match.source_ports, [info.remoteAddress.port]),
  ];
  let left = entries;
  for (const score of scores) {
    const best = Math.max(-1, ...left.map((entry) => score(entry.match!)));
    left = best < 0 ? [] : left.filter((entry) => score(entry.match!) === best);
  }
  return left[0]?.name ?? 'default';
}

test('find, explain and the documented rule agree', () => {
  let compiled = 0;
  fc.assert(
    fc.property(
      fc.array(anyMatch, { minLength: 1, maxLength: 5 }),
      fc.array(anyConnection, { minLength: 5 }),
      (matches, all) => {
        const entries = matches.map((match, index) => chain(`chain ${index}`, match));
        let matcher: ReturnType<typeof compileFilterChainMatch<string>>;
        try {
          matcher = compileFilterChainMatch(entries, 'default', '');
        } catch {
          return;
        }
        compiled++;
        for (const facts of all) {
          const info = connection(facts);
          const found = matcher.find(info);
          assert.equal(found, oracle(entries, info));
          const explained = matcher.explain(info);
          assert.equal(explained.matched, found !== 'default');
          assert.equal(
            explained.reason,
            found === 'default' ? 'the default filter chain' : `filter chain '${found}'`,
          );
          assert.equal(explained.children.at(-1)!.matched, explained.matched);
        }
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(compiled > 100);
});
