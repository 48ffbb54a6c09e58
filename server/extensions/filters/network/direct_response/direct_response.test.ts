import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeConnection } from '../../../../../tests/fakes/connection.ts';
import { fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import type { NetworkFilterFactory } from '../../../../api/registry.ts';
import { echoFactory } from '../echo/config.ts';
import { directResponseFactory } from './config.ts';

function create(factory: NetworkFilterFactory, type: string, config: object) {
  const filter = factory
    .compile(fromJson(type, config) as never, fakeFactoryContext(), 'config')
    .createFilter();
  const connection = new FakeConnection();
  filter.initializeReadFilterCallbacks!(connection);
  return { filter, connection };
}

test('direct_response says its line and closes', () => {
  const type = 'envoy.extensions.filters.network.direct_response.v3.Config';
  const { filter, connection } = create(directResponseFactory, type, { response: { inline_string: 'hey' } });
  filter.onNewConnection!();
  assert.equal(connection.written, 'hey');
  assert.deepEqual(connection.closed, { type: 'FlushWrite', details: undefined });
  assert.equal(connection.streamInfo.responseCodeDetails, 'direct_response');
  assert.throws(
    () => create(directResponseFactory, type, { response: { filename: '/does/not/exist' } }),
    /config\.response: Invalid path: \/does\/not\/exist/,
  );
});

test('echo sends back copies, and the end', () => {
  const { filter, connection } = create(echoFactory, 'envoy.extensions.filters.network.echo.v3.Echo', {});
  const bytes = Buffer.from('xhellox');
  filter.onData!(bytes, 1, 6, false);
  bytes.fill(0);
  filter.onData!(bytes, 0, 0, true);
  assert.equal(connection.written, 'hello');
  assert.equal(connection.ended, true);
});
