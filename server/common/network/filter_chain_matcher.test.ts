import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeFactoryContext } from '../../../tests/fakes/factory_context.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import type { ConnectionInfo } from '../../api/stream_info.ts';
import { ConnectionInfoRecord } from '../stream_info/stream_info.ts';
import { ipAddress } from './address.ts';
import { compileFilterChainMatcher } from './filter_chain_matcher.ts';

const input = (name: string) => ({
  name,
  typed_config: { '@type': `type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.${name}` },
});
const chain = (name: string) => ({
  action: { name, typed_config: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: name } },
});
const map = (name: string, entries: Record<string, string>) => ({
  matcher_tree: {
    input: input(name),
    exact_match_map: {
      map: Object.fromEntries(Object.entries(entries).map(([key, to]) => [key, chain(to)])),
    },
  },
});

function compile(matcher: object, names: readonly string[] = ['a', 'b']) {
  const entries = names.map((name, index) => ({ name, index, match: undefined, chain: name }));
  const tree = fromJson('xds.type.matcher.v3.Matcher', matcher);
  return compileFilterChainMatcher(tree, entries, 'default', fakeFactoryContext(), '');
}

function connection(change: (info: ConnectionInfo) => void = () => {}): ConnectionInfo {
  const info = new ConnectionInfoRecord(1, ipAddress('10.0.0.9', 5000), ipAddress('10.0.0.1', 80), 'l');
  change(info);
  return info;
}

test('every input', () => {
  const cases: [string, string, (info: ConnectionInfo) => void][] = [
    ['DestinationIPInput', '10.0.0.1', () => {}],
    ['DestinationPortInput', '80', () => {}],
    ['SourceIPInput', '10.0.0.9', () => {}],
    ['SourcePortInput', '5000', () => {}],
    ['DirectSourceIPInput', '10.0.0.9', (info) => (info.remoteAddress = ipAddress('1.1.1.1', 1))],
    ['SourceTypeInput', 'local', (info) => (info.remoteAddress = ipAddress('127.0.0.1', 1))],
    ['ServerNameInput', 'a.b', (info) => (info.requestedServerName = 'a.b')],
    ['TransportProtocolInput', 'tls', (info) => (info.detectedTransportProtocol = 'tls')],
    [
      'ApplicationProtocolInput',
      "'h2','http/1.1'",
      (info) => (info.requestedApplicationProtocols = ['h2', 'http/1.1']),
    ],
  ];
  for (const [name, value, change] of cases) {
    const matcher = compile(map(name, { [value]: 'a' }));
    const info = connection(change);
    assert.equal(matcher.find(info), 'a', name);
    assert.equal(matcher.explain(info).reason, "filter chain 'a'");
    assert.equal(compile(map(name, { other: 'a' })).find(info), 'default', name);
  }
});

test('nothing found is the default chain, an unknown name is none', () => {
  const matcher = compile({
    ...map('DestinationPortInput', { 80: 'nobody', 81: 'a' }),
    on_no_match: chain('b'),
  });
  assert.equal(matcher.find(connection()), undefined);
  assert.deepEqual(
    [matcher.explain(connection()).matched, matcher.explain(connection()).reason],
    [false, 'no filter chain'],
  );
  const other = connection((info) => (info.localAddress = ipAddress('10.0.0.1', 9)));
  assert.equal(matcher.find(other), 'b');
  assert.equal(compile({}).find(other), 'default');
  assert.equal(compile({}).explain(other).reason, 'the default filter chain');
});

test('what cannot be honoured is refused', () => {
  assert.throws(
    () => compile({}, ['a', '']),
    /filter_chains\[1\]\.name: "name" field is required when using a listener matcher/,
  );
  assert.throws(() => compile({}, ['a', 'a']), /"name" field is duplicated with value 'a'/);
  const wrong = { name: 'x', typed_config: { '@type': 'type.googleapis.com/envoy.config.core.v3.Address' } };
  assert.throws(
    () => compile({ matcher_tree: { input: wrong, exact_match_map: { map: { a: chain('a') } } } }),
    /filter_chain_matcher\.matcher_tree\.input\.typed_config: Didn't find a registered implementation for 'x'/,
  );
  assert.throws(
    () => compile({ on_no_match: { action: wrong } }),
    /on_no_match\.action\.typed_config: Didn't find/,
  );
});
