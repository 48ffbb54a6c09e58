import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeConnection } from '../../../../../tests/fakes/connection.ts';
import { fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { sniClusterFactory } from '../sni_cluster/config.ts';
import { setFilterStateFactory } from './config.ts';

function run(value: object) {
  const message = fromJson('envoy.extensions.filters.network.set_filter_state.v3.Config', {
    on_new_connection: [value],
  });
  const compiled = setFilterStateFactory.compile(message as never, fakeFactoryContext(), 'config');
  const connection = new FakeConnection();
  const filter = compiled.createFilter();
  filter.initializeReadFilterCallbacks!(connection);
  filter.onNewConnection!();
  return connection.info.filterState;
}
const format = (text: string) => ({ text_format_source: { inline_string: text } });

test('sets a formatted text, shared with upstreams when asked', () => {
  const state = run({
    object_key: 'foo',
    factory_key: 'envoy.string',
    format_string: format('port %DOWNSTREAM_LOCAL_PORT%'),
    shared_with_upstream: 'ONCE',
    read_only: true,
  });
  assert.equal(state.get('foo')!.serializeAsString(), 'port 80');
  assert.deepEqual(
    state.sharedWithUpstream().map(({ name }) => name),
    ['foo'],
  );
  assert.throws(() => state.set('foo', state.get('foo')!), /ReadOnly/);
});

test('can leave out an empty value', () => {
  const empty = { text_format_source: { inline_string: '%REQUESTED_SERVER_NAME%' }, omit_empty_values: true };
  const value = { object_key: 'envoy.network.upstream_server_name', format_string: empty };
  assert.equal(run({ ...value, skip_if_empty: true }).get(value.object_key), undefined);
  assert.equal(run(value).get(value.object_key)!.serializeAsString(), '');
});

test('an unknown kind of object is refused', () => {
  assert.throws(
    () => run({ object_key: 'foo', format_string: format('x') }),
    /config\.on_new_connection\[0\]\.object_key: 'foo' does not have an object factory/,
  );
});

test('sni_cluster names the cluster of tcp_proxy', () => {
  for (const name of ['outbound_.80_._.a', '']) {
    const connection = new FakeConnection();
    connection.info.requestedServerName = name;
    const filter = sniClusterFactory.compile({} as never, fakeFactoryContext(), '').createFilter();
    filter.initializeReadFilterCallbacks!(connection);
    filter.onNewConnection!();
    const cluster = connection.info.filterState.get('envoy.tcp_proxy.cluster')?.serializeAsString();
    assert.equal(cluster, name === '' ? undefined : name);
  }
});
