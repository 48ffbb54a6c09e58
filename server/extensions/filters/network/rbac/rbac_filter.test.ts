import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeConnection } from '../../../../../tests/fakes/connection.ts';
import { FakeStatStore, fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { NetworkFilterStatus } from '../../../../api/network/filter.ts';
import { rbacFactory } from './config.ts';

const { Continue, StopIteration } = NetworkFilterStatus;
const ANY = { permissions: [{ any: true }], principals: [{ any: true }] };
const NOBODY = { permissions: [{ any: true }], principals: [{ not_id: { any: true } }] };

function run(config: object) {
  const stats = new FakeStatStore();
  const message = fromJson('envoy.extensions.filters.network.rbac.v3.RBAC', {
    stat_prefix: 'tcp.',
    ...config,
  });
  const filter = rbacFactory.compile(message as never, fakeFactoryContext({ stats }), 'rbac').createFilter();
  const connection = new FakeConnection();
  filter.initializeReadFilterCallbacks!(connection);
  const data = () => filter.onData!(new Uint8Array(1), 0, 1, false);
  return { filter, connection, data, stats };
}

test('denies with the name of the policy', () => {
  const { connection, data, stats } = run({ rules: { action: 'DENY', policies: { 'no one': ANY } } });
  assert.equal(data(), StopIteration);
  assert.deepEqual(connection.closed, {
    type: 'NoFlush',
    details: 'rbac_access_denied_matched_policy[no_one]',
  });
  assert.equal(stats.value('tcp.rbac.denied'), 1);
});

test('nothing matched an ALLOW', () => {
  const { connection, data } = run({ rules: { policies: { a: NOBODY } } });
  data();
  assert.equal(connection.closed!.details, 'rbac_access_denied_matched_policy[none]');
});

test('allows once, or judges every time', () => {
  const once = run({ rules: { policies: { a: ANY } } });
  assert.deepEqual([once.data(), once.data()], [Continue, Continue]);
  assert.equal(once.stats.value('tcp.rbac.allowed'), 1);
  const always = run({ rules: { policies: { a: ANY } }, enforcement_type: 'CONTINUOUS' });
  assert.deepEqual([always.data(), always.data()], [Continue, Continue]);
  assert.equal(always.stats.value('tcp.rbac.allowed'), 2);
});

test('shadow rules are counted and noted, not enforced', () => {
  const { connection, data, stats } = run({
    stat_prefix: 'pfx',
    shadow_rules: { action: 'DENY', policies: { s: ANY } },
    shadow_rules_stat_prefix: 'shadow_',
  });
  assert.equal(data(), Continue);
  assert.equal(stats.value('pfx.rbac.shadow_.shadow_denied'), 1);
  assert.deepEqual(connection.streamInfo.dynamicMetadata!.get('envoy.filters.network.rbac'), {
    shadow_shadow_effective_policy_id: 's',
    shadow_shadow_engine_result: 'denied',
  });
});

test('LOG leaves a hint for access loggers', () => {
  const { connection, data } = run({ rules: { action: 'LOG', policies: { a: NOBODY } } });
  assert.equal(data(), Continue);
  assert.deepEqual(connection.streamInfo.dynamicMetadata!.get('envoy.common'), { access_log_hint: false });
});

test('a denial can wait', async () => {
  const { connection, data } = run({ rules: {}, delay_deny: '0.02s' });
  assert.equal(data(), StopIteration);
  assert.equal(connection.closed, undefined);
  assert.equal(connection.readDisabled, 1);
  await sleep(60);
  assert.equal(connection.closed!.type, 'NoFlush');
});

test('a match tree goes before rules', () => {
  const typed_config = {
    '@type': 'type.googleapis.com/envoy.config.rbac.v3.Action',
    name: 'all',
    action: 'ALLOW',
  };
  const matcher = { on_no_match: { action: { name: 'a', typed_config } } };
  const { data } = run({ matcher, rules: {} });
  assert.equal(data(), Continue);
});
