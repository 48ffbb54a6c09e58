import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeConnection } from '../../../../../tests/fakes/connection.ts';
import {
  FakeStatStore,
  fakeFactoryContext,
  fakeRuntime,
} from '../../../../../tests/fakes/factory_context.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { NetworkFilterStatus } from '../../../../api/network/filter.ts';
import type { FactoryContext } from '../../../../api/registry.ts';
import { connectionLimitFactory } from './config.ts';

const { Continue, StopIteration } = NetworkFilterStatus;

function compile(config: object, overrides: Partial<FactoryContext> = {}) {
  const stats = new FakeStatStore();
  const type = 'envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit';
  const message = fromJson(type, { stat_prefix: 'x', ...config });
  const compiled = connectionLimitFactory.compile(
    message as never,
    fakeFactoryContext({ stats, ...overrides }),
    '',
  );
  const connect = () => {
    const filter = compiled.createFilter();
    const connection = new FakeConnection();
    filter.initializeReadFilterCallbacks!(connection);
    return { filter, connection, status: filter.onNewConnection!() };
  };
  return { connect, value: (name: string) => stats.value(`connection_limit.x.${name}`) };
}

test('closes what is too many, until one goes', () => {
  const { connect, value } = compile({ max_connections: 1 });
  const first = connect();
  assert.equal(first.status, Continue);
  const second = connect();
  assert.equal(second.status, StopIteration);
  assert.deepEqual(second.connection.closed, { type: 'NoFlush', details: 'over_connection_limit' });
  second.filter.onDestroy!();
  assert.equal(value('active_connections'), 1);
  assert.equal(value('limited_connections'), 1);
  first.filter.onDestroy!();
  assert.equal(value('active_connections'), 0);
  assert.equal(connect().status, Continue);
});

test('closes after a delay, in which nothing is read', async () => {
  const { connect } = compile({ max_connections: 1, delay: '0.02s' });
  connect();
  const { connection } = connect();
  assert.equal(connection.closed, undefined);
  assert.equal(connection.readDisabled, 1);
  // The timer's node timeout keeps no process alive, and a busy machine is late.
  for (let waited = 0; connection.closed === undefined && waited < 5000; waited += 10) await sleep(10);
  assert.equal(connection.closed!.details, 'over_connection_limit');
});

test('can be switched off by runtime', () => {
  const off = { max_connections: 1, runtime_enabled: { runtime_key: 'k', default_value: true } };
  const { connect } = compile(off, { runtime: fakeRuntime({ k: false }) });
  assert.deepEqual([connect().status, connect().status], [Continue, Continue]);
});
