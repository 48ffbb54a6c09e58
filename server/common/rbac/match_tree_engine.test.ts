import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FakeConnection } from '../../../tests/fakes/connection.ts';
import { fakeFactoryContext } from '../../../tests/fakes/factory_context.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import type { SslConnectionInfo } from '../../api/stream_info.ts';
import { RequestHeaders } from '../http/header_map.ts';
import { MatchTreeEngine } from './match_tree_engine.ts';
import type { RbacLayer, RbacSubject } from './matchers.ts';

const TYPE = 'type.googleapis.com/';
const COMMON = `${TYPE}envoy.extensions.matching.common_inputs.`;

function engine(config: object, layer: RbacLayer = 'http'): MatchTreeEngine {
  const message = fromJson('xds.type.matcher.v3.Matcher', config);
  return new MatchTreeEngine(message as never, { layer, context: fakeFactoryContext() }, 'matcher');
}

const action = (name: string, kind = 'ALLOW') => ({
  action: {
    name: 'a',
    typed_config: { '@type': `${TYPE}envoy.config.rbac.v3.Action`, name, action: kind },
  },
});
const on = (typed_config: object, value_match: object, on_match: object) => ({
  predicate: { single_predicate: { input: { name: 'i', typed_config }, value_match } },
  on_match,
});
const HEADER = { '@type': `${TYPE}envoy.type.matcher.v3.HttpRequestHeaderMatchInput`, header_name: 'role' };
const URI = { '@type': `${COMMON}ssl.v3.UriSanInput` };

function subject(role: string, uri?: string): RbacSubject {
  const { info, streamInfo } = new FakeConnection();
  if (uri !== undefined) info.ssl = { uriSanPeer: [uri] } as unknown as SslConnectionInfo;
  const headers = new RequestHeaders('GET', '/', 'h', 'http', ['role', role]);
  return { connection: info, streamInfo, headers };
}

test('actions of a tree', () => {
  const tree = engine({
    matcher_list: {
      matchers: [on(HEADER, { exact: 'root' }, action('r')), on(HEADER, { exact: 'x' }, action('d', 'DENY'))],
    },
  });
  assert.deepEqual(
    { ...tree.evaluate(subject('root')) },
    {
      action: 'ALLOW',
      allowed: true,
      policyId: 'r',
      accessLogHint: undefined,
    },
  );
  assert.equal(tree.evaluate(subject('x')).allowed, false);
  assert.deepEqual(tree.evaluate(subject('nobody')), {
    allowed: false,
    policyId: undefined,
    accessLogHint: undefined,
  });
  const logs = engine({
    matcher_list: { matchers: [on(HEADER, { exact: 'root' }, action('l', 'LOG'))] },
    on_no_match: action('a'),
  });
  assert.equal(logs.evaluate(subject('root')).accessLogHint, true);
  assert.equal(logs.evaluate(subject('x')).accessLogHint, false);
});

test('a tree that asks about TLS where there is none comes to nothing', () => {
  const tree = engine({
    matcher_list: { matchers: [on(URI, { prefix: 'spiffe://' }, action('s'))] },
    on_no_match: action('else'),
  });
  assert.equal(tree.evaluate(subject('', 'spiffe://a')).policyId, 's');
  assert.equal(tree.evaluate(subject('', 'other')).policyId, 'else');
  assert.equal(tree.evaluate(subject('')).policyId, undefined);
  assert.equal(tree.explain(subject('')).matched, false);
});

test('what the layer does not have is refused', () => {
  const tree = (input: object) => ({ matcher_list: { matchers: [on(input, { exact: 'x' }, action('a'))] } });
  const source = { '@type': `${COMMON}network.v3.SourceTypeInput` };
  assert.throws(() => engine(tree(source)), /RBAC HTTP filter cannot match on/);
  assert.throws(() => engine(tree(HEADER), 'network'), /RBAC network filter cannot match 'type/);
});

test('evaluate and explain agree', () => {
  const roles = fc.constantFrom('a', 'b', 'ab');
  const matcher = fc
    .tuple(fc.boolean(), roles)
    .map(([tls, exact]) => on(tls ? URI : HEADER, { exact }, action('m')));
  fc.assert(
    fc.property(
      fc.array(matcher, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      roles,
      fc.option(roles, { nil: undefined }),
      (matchers, otherwise, role, uri) => {
        const tree = engine({
          matcher_list: { matchers },
          ...(otherwise && { on_no_match: action('else') }),
        });
        const asked = subject(role, uri);
        assert.equal(tree.explain(asked).matched, tree.evaluate(asked).policyId !== undefined);
      },
    ),
    { numRuns: 200 },
  );
});
