import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Ask, recordedBody, serveAdmin } from '../../../tests/fakes/admin_client.ts';
import { fakeAdminContext } from '../../../tests/fakes/admin_context.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { create, decode, encodeAny } from '../../../xds-protos/load.ts';
import type { AdminContext, ConfigDumpKey, ConfigDumpSource } from './context.ts';

const KEYS: Readonly<Record<string, ConfigDumpKey>> = {
  BootstrapConfigDump: 'bootstrap',
  ClustersConfigDump: 'clusters',
  EndpointsConfigDump: 'endpoint',
  ListenersConfigDump: 'listeners',
  ScopedRoutesConfigDump: 'route_scopes',
  RoutesConfigDump: 'routes',
  SecretsConfigDump: 'secrets',
};

type Config = { readonly '@type': string; readonly [field: string]: unknown };

/** A context that holds what Envoy held when it was recorded. */
function recordedContext(): AdminContext {
  const tracker = new Map<ConfigDumpKey, ConfigDumpSource>();
  for (const { '@type': url, ...config } of JSON.parse(recordedBody('config_dump.json'))
    .configs as Config[]) {
    const typeName = url.slice(url.lastIndexOf('/') + 1);
    const key = KEYS[typeName.slice(typeName.lastIndexOf('.') + 1)] as ConfigDumpKey;
    const message = fromJson(typeName, config) as Record<string, unknown>;
    tracker.set(key, (matches) => (key === 'clusters' ? clustersNamed(message, matches) : message));
  }
  return fakeAdminContext({ configTracker: tracker });
}

function clustersNamed(message: Record<string, unknown>, matches: (name: string) => boolean): object {
  const clusters = message['dynamic_active_clusters'] as {
    readonly cluster: { readonly value: Uint8Array };
  }[];
  const nameOf = (bytes: Uint8Array): string => decode('envoy.config.cluster.v3.Cluster', bytes).name;
  return {
    ...message,
    dynamic_active_clusters: clusters.filter(({ cluster }) => matches(nameOf(cluster.value))),
  };
}

const configsOf = async (ask: Ask, query: string): Promise<Config[] | undefined> =>
  JSON.parse((await ask(`/config_dump?${query}`)).body).configs;

describe('/config_dump', () => {
  test('is what Envoy answers, byte by byte', async (t) => {
    const ask = await serveAdmin(t, recordedContext());
    const { headers, body } = await ask('/config_dump?include_eds');
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(body, recordedBody('config_dump.json'));
  });

  test('leaves endpoints out unless asked', async (t) => {
    const ask = await serveAdmin(t, recordedContext());
    const { configs } = JSON.parse(recordedBody('config_dump.json'));
    const withoutEds = configs.filter((config: Config) => !config['@type'].endsWith('EndpointsConfigDump'));
    assert.deepEqual(await configsOf(ask, ''), withoutEds);
  });

  test('never shows a private key, wherever it is', async (t) => {
    const key = 'VERY PRIVATE';
    const certificate = {
      private_key: { inline_string: key },
      certificate_chain: { inline_string: 'public' },
    };
    const context = create('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', {
      common_tls_context: { tls_certificates: [certificate] },
    });
    const listener = create('envoy.config.listener.v3.Listener', {
      name: 'l',
      filter_chains: [
        {
          transport_socket: {
            name: 'tls',
            typed_config: encodeAny(
              'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
              context,
            ),
          },
        },
      ],
    });
    const configTracker = new Map<ConfigDumpKey, ConfigDumpSource>([
      [
        'bootstrap',
        () =>
          create('envoy.admin.v3.BootstrapConfigDump', {
            bootstrap: { static_resources: { listeners: [listener] } },
          }),
      ],
      [
        'listeners',
        () =>
          create('envoy.admin.v3.ListenersConfigDump', {
            static_listeners: [{ listener: encodeAny('envoy.config.listener.v3.Listener', listener) }],
          }),
      ],
    ]);
    const ask = await serveAdmin(t, fakeAdminContext({ configTracker }));
    for (const query of ['', 'resource=static_listeners', 'mask=bootstrap']) {
      const { body } = await ask(`/config_dump?${query}`);
      assert.equal(body.includes(key), false, query);
      assert.ok(body.includes('[redacted]') && body.includes('public'), query);
    }
  });

  test('resource: one list, its elements with their types', async (t) => {
    const ask = await serveAdmin(t, recordedContext());
    const configs = await configsOf(ask, 'resource=dynamic_active_clusters');
    assert.equal(configs?.length, 2);
    assert.deepEqual(Object.keys(configs?.[0] ?? {}), ['@type', 'version_info', 'cluster', 'last_updated']);
    assert.equal(
      configs?.[0]?.['@type'],
      'type.googleapis.com/envoy.admin.v3.ClustersConfigDump.DynamicCluster',
    );
    assert.equal((await ask('/config_dump?resource=static_clusters')).body, '{}\n');
    assert.equal((await configsOf(ask, 'resource=dynamic_endpoint_configs&include_eds'))?.length, 2);
  });

  test('mask: fields of a section, or of each element of a resource', async (t) => {
    const ask = await serveAdmin(t, recordedContext());
    assert.deepEqual(await configsOf(ask, 'mask=bootstrap.node.id'), [
      {
        '@type': 'type.googleapis.com/envoy.admin.v3.BootstrapConfigDump',
        bootstrap: { node: { id: 'node-2' } },
      },
    ]);
    const names = await configsOf(ask, 'resource=dynamic_active_clusters&mask=cluster.name,version_info');
    assert.deepEqual(names?.[1], {
      '@type': 'type.googleapis.com/envoy.admin.v3.ClustersConfigDump.DynamicCluster',
      cluster: { '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster', name: 'plain' },
      version_info: 'cds-1',
    });
  });

  test('name_regex matches whole names', async (t) => {
    const ask = await serveAdmin(t, recordedContext());
    assert.equal((await configsOf(ask, 'resource=dynamic_active_clusters&name_regex=eds.*'))?.length, 1);
    assert.equal(await configsOf(ask, 'resource=dynamic_active_clusters&name_regex=eds'), undefined);
  });

  test('errors', async (t) => {
    const ask = await serveAdmin(t, recordedContext());
    const expected: Record<string, [status: number, body: string]> = {
      'mask=foo': [400, 'FieldMask foo could not be successfully applied to any configs.'],
      'mask=dynamic_active_clusters.cluster': [
        400,
        'FieldMask dynamic_active_clusters.cluster could not be successfully applied to any configs.',
      ],
      'name_regex=%5B': [400, 'INVALID_ARGUMENT: Error while parsing name_regex from [: missing ]: ['],
      'resource=foo': [404, 'foo not found in config dump'],
      'resource=dynamic_endpoint_configs': [404, 'dynamic_endpoint_configs not found in config dump'],
      'resource=bootstrap': [
        400,
        'bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field',
      ],
      'resource=dynamic_active_clusters&mask=cluster.foo': [
        400,
        'FieldMask goo.gle/debugonly   \npaths: "cluster.foo"\n could not be successfully used.',
      ],
    };
    for (const [query, answer] of Object.entries(expected)) {
      const { status, headers, body } = await ask(`/config_dump?${query}`);
      assert.deepEqual([status, body], answer, query);
      assert.equal(headers['content-type'], 'text/plain');
    }
    assert.equal((await ask('/config_dump?resource=static_clusters&mask=foo')).body, '{}\n');
  });
});
