import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FakeConnection } from '../../../tests/fakes/connection.ts';
import { fakeFactoryContext } from '../../../tests/fakes/factory_context.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import type { SslConnectionInfo } from '../../api/stream_info.ts';
import { RequestHeaders } from '../http/header_map.ts';
import { ipAddress } from '../network/address.ts';
import { StringAccessor } from '../stream_info/filter_state.ts';
import { PolicyEngine } from './engine.ts';
import type { RbacLayer, RbacSubject } from './matchers.ts';

const CONTEXT = fakeFactoryContext();

function engine(config: object, layer: RbacLayer = 'network'): PolicyEngine {
  return new PolicyEngine(
    fromJson('envoy.config.rbac.v3.RBAC', config),
    { layer, context: CONTEXT },
    'rules',
  );
}

function subject(change: (connection: FakeConnection) => void = () => {}): RbacSubject {
  const connection = new FakeConnection();
  connection.info.localAddress = ipAddress('10.0.0.2', 8080);
  connection.info.remoteAddress = ipAddress('192.168.0.7', 5000);
  connection.streamInfo.remoteAddress = ipAddress('203.0.113.9', 0);
  change(connection);
  return { connection: connection.info, streamInfo: connection.streamInfo, headers: undefined };
}

const ANY = [{ any: true }];
const permits = (permission: object, who: RbacSubject = subject()) =>
  engine({ policies: { p: { permissions: [permission], principals: ANY } } }).evaluate(who).allowed;
const admits = (principal: object, who: RbacSubject = subject()) =>
  engine({ policies: { p: { permissions: ANY, principals: [principal] } } }).evaluate(who).allowed;

test('permissions', () => {
  assert.equal(permits({ destination_port: 8080 }), true);
  assert.equal(permits({ destination_port: 80 }), false);
  assert.equal(permits({ destination_port_range: { start: 8080, end: 8081 } }), true);
  assert.equal(permits({ destination_port_range: { start: 8000, end: 8080 } }), false);
  assert.equal(permits({ destination_ip: { address_prefix: '10.0.0.0', prefix_len: 8 } }), true);
  assert.equal(
    permits({ not_rule: { destination_ip: { address_prefix: '10.0.0.0', prefix_len: 8 } } }),
    false,
  );
  assert.equal(permits({ and_rules: { rules: [{ any: true }, { destination_port: 80 }] } }), false);
  assert.equal(
    permits({ or_rules: { rules: [{ destination_port: 8080 }, { destination_port: 80 }] } }),
    true,
  );
  assert.equal(permits({ url_path: { path: { prefix: '/' } } }), false);
  const sni = subject(({ info }) => (info.requestedServerName = 'a.b'));
  assert.equal(permits({ requested_server_name: { suffix: '.b' } }, sni), true);
  const metadata = { filter: 'ns', path: [{ key: 'k' }], value: { string_match: { exact: 'v' } } };
  const tagged = subject(({ streamInfo }) => (streamInfo.dynamicMetadata = new Map([['ns', { k: 'v' }]])));
  assert.equal(permits({ metadata }, tagged), true);
  assert.equal(permits({ metadata }), false);
  assert.equal(permits({ sourced_metadata: { metadata_matcher: metadata } }, tagged), true);
});

test('principals', () => {
  assert.equal(admits({ source_ip: { address_prefix: '192.168.0.0', prefix_len: 16 } }), true);
  assert.equal(admits({ remote_ip: { address_prefix: '203.0.113.0', prefix_len: 24 } }), true);
  assert.equal(admits({ direct_remote_ip: { address_prefix: '10.0.0.1', prefix_len: 32 } }), true);
  assert.equal(admits({ direct_remote_ip: { address_prefix: '192.168.0.0', prefix_len: 16 } }), false);
  assert.equal(admits({ not_id: { any: true } }), false);
  assert.equal(admits({ and_ids: { ids: [{ any: true }, { not_id: { any: true } }] } }), false);
  assert.equal(admits({ authenticated: {} }), false);
  const ssl = {
    uriSanPeer: ['spiffe://td/ns/a/sa/b'],
    dnsSanPeer: ['c.d'],
    subjectPeer: 'CN=e',
  } as unknown as SslConnectionInfo;
  const tls = subject(({ info }) => (info.ssl = ssl));
  assert.equal(admits({ authenticated: {} }, tls), true);
  for (const exact of ['spiffe://td/ns/a/sa/b', 'c.d', 'CN=e']) {
    assert.equal(admits({ authenticated: { principal_name: { exact } } }, tls), true);
  }
  assert.equal(admits({ authenticated: { principal_name: { exact: 'x' } } }, tls), false);
  const state = { filter_state: { key: 'io.istio.peer_principal', string_match: { prefix: 'spiffe://' } } };
  const peer = subject(({ info }) =>
    info.filterState.set('io.istio.peer_principal', new StringAccessor('spiffe://x')),
  );
  assert.equal(admits(state, peer), true);
  assert.equal(admits(state), false);
});

describe('actions', () => {
  const policies = {
    b: { permissions: ANY, principals: ANY },
    a: { permissions: [{ destination_port: 8080 }], principals: ANY },
  };
  const judge = (config: object): unknown[] => {
    const { allowed, policyId, accessLogHint } = engine(config).evaluate(subject());
    return [allowed, policyId, accessLogHint];
  };
  test('the first policy by name is the one reported', () => {
    assert.deepEqual(judge({ policies }), [true, 'a', undefined]);
    assert.deepEqual(judge({ action: 'DENY', policies }), [false, 'a', undefined]);
    assert.deepEqual(judge({ action: 'LOG', policies }), [true, 'a', true]);
  });
  test('without a match', () => {
    assert.deepEqual(judge({}), [false, undefined, undefined]);
    assert.deepEqual(judge({ action: 'DENY' }), [true, undefined, undefined]);
    assert.deepEqual(judge({ action: 'LOG' }), [true, undefined, false]);
  });
});

test('requests have headers and a path', () => {
  const headers = new RequestHeaders('GET', '/admin?x', 'host', 'http', ['role', 'root']);
  const request = { ...subject(), headers };
  const policies = {
    p: {
      permissions: [{ url_path: { path: { exact: '/admin' } } }],
      principals: [{ header: { name: 'role', string_match: { exact: 'root' } } }],
    },
  };
  assert.equal(engine({ policies }, 'http').evaluate(request).allowed, true);
  assert.throws(
    () => engine({ policies }),
    /rules\.policies\[p\]\.principals\[0\]\.header: Found header rule, not supported by RBAC network filter/,
  );
});

test('a condition narrows a policy', () => {
  const ident = { ident_expr: { name: 'request' } };
  const method = { select_expr: { operand: ident, field: 'method' } };
  const isGet = { call_expr: { function: '_==_', args: [method, { const_expr: { string_value: 'GET' } }] } };
  const rbac = engine({ policies: { p: { permissions: ANY, principals: ANY, condition: isGet } } }, 'http');
  for (const [method, allowed] of [
    ['GET', true],
    ['POST', false],
  ] as const) {
    const request = { ...subject(), headers: new RequestHeaders(method, '/', 'host', 'http', []) };
    assert.equal(rbac.evaluate(request).allowed, allowed);
    assert.equal(rbac.explain(request).matched, allowed);
  }
  // A connection has no method: the condition comes to an error, and the policy does not match.
  assert.equal(rbac.evaluate(subject()).allowed, false);
});

test('what cannot be honoured is refused', () => {
  const policy = (more: object) => () =>
    engine({ policies: { p: { permissions: ANY, principals: ANY, ...more } } });
  const unknown = { call_expr: { function: 'nobody', args: [] } };
  assert.throws(policy({ condition: unknown }), /rules\.policies\[p\]\.condition: .*No overload found/);
  assert.throws(policy({ checked_condition: {} }), /policies\[p\]\.checked_condition/);
  assert.throws(policy({ permissions: [{ uri_template: { name: 'x' } }] }), /permissions\[0\]\.uri_template/);
  assert.throws(policy({ permissions: [{ matcher: { name: 'x' } }] }), /permissions\[0\]\.matcher/);
  assert.throws(policy({ principals: [{ custom: { name: 'x' } }] }), /principals\[0\]\.custom/);
  assert.throws(() => engine({ audit_logging_options: {} }), /audit logging/);
});

test('evaluate and explain agree', () => {
  const rule = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<object>(
        { any: true },
        { any: false },
        { destination_port: 8080 },
        { destination_port: 1 },
      ),
      tie('and'),
      tie('or'),
      tie('not'),
    ),
    and: fc.array(tie('any'), { minLength: 1, maxLength: 3 }).map((rules) => ({ and_rules: { rules } })),
    or: fc.array(tie('any'), { minLength: 1, maxLength: 3 }).map((rules) => ({ or_rules: { rules } })),
    not: tie('any').map((not_rule) => ({ not_rule })),
  })).any;
  fc.assert(
    fc.property(
      fc.array(fc.array(rule as fc.Arbitrary<object>, { minLength: 1, maxLength: 3 }), { maxLength: 3 }),
      (lists) => {
        const policies = Object.fromEntries(
          lists.map((permissions, i) => [`p${i}`, { permissions, principals: ANY }]),
        );
        const rbac = engine({ policies });
        const { policyId } = rbac.evaluate(subject());
        const explained = rbac.explain(subject());
        assert.equal(explained.matched, policyId !== undefined);
        const first = explained.children.find(({ matched }) => matched);
        assert.equal(first?.what, policyId === undefined ? undefined : `policy '${policyId}'`);
      },
    ),
    { numRuns: 200 },
  );
});
