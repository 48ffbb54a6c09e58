// What comes from further afield on the admin ports of Envoy and Pilotfish: runtime from disk, from a control plane's files and from
// the admin port; scoped routes and extension configurations that are discovered; and something that never becomes ready.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../fakes/admin_client.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { statsOf } from './stats_listing.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const SETTLE_MS = 800;
const TYPE = 'type.googleapis.com/envoy.';
const FILTERS = `${TYPE}extensions.filters.`;

describe('runtime layers, scopes and extension configurations on the admin port', { skip: SKIP }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'admin-layers-'));
  const processes: EnvoyProcess[] = [];
  const file = (name: string): string => path.join(directory, name);
  const source = (name: string): object => ({
    resource_api_version: 'V3',
    path_config_source: { path: file(`${name}.json`) },
  });

  function write(name: string, version: string, ...resources: readonly object[]): void {
    const content = JSON.stringify({ version_info: version, resources });
    writeFileSync(file(`${name}.new`), content);
    renameSync(file(`${name}.new`), file(`${name}.json`));
  }

  /** A tree of runtime files, put in place by a symbolic link, as operators do. */
  function writeRuntime(version: string, values: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(values)) {
      const target = file(`runtime-${version}/envoy/${name}`);
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, value);
    }
    symlinkSync(file(`runtime-${version}`), file(`link-${version}`));
    renameSync(file(`link-${version}`), file('current'));
  }

  const rtds = (version: string, layer: object): void =>
    write('rtds', version, { '@type': `${TYPE}service.runtime.v3.Runtime`, name: 'far', layer });

  before(async () => {
    writeRuntime('1', { 'health_check/min_interval': '7', 'disk.only': 'text', 'override/me': '1' });
    mkdirSync(file('runtime-1/override-cluster/override'), { recursive: true });
    writeFileSync(file('runtime-1/override-cluster/override/me'), '2');
    rtds('r1', { 'far.number': 3, 'far.fraction': { numerator: 5, denominator: 'TEN_THOUSAND' }, 'health_check.min_interval': 9 });
    write('srds', 's1', {
      '@type': `${TYPE}config.route.v3.ScopedRouteConfiguration`,
      name: 'scope-1',
      route_configuration_name: 'scoped',
      key: { fragments: [{ string_key: 'a' }] },
    });
    write('rds', 'd1', { '@type': `${TYPE}config.route.v3.RouteConfiguration`, name: 'scoped', virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }] }] });
    write('ecds', 'e1', {
      '@type': `${TYPE}config.core.v3.TypedExtensionConfig`,
      name: 'discovered',
      typed_config: { '@type': `${FILTERS}http.buffer.v3.Buffer`, max_request_bytes: 100 },
    });
    for (const command of [[ENVOY_BIN!], PILOTFISH]) processes.push(await EnvoyProcess.start(bootstrap(), command));
    await sleep(SETTLE_MS);
  }); // biome-ignore format: resources
  after(async () => {
    await Promise.all(processes.map((each) => each.stop()));
    rmSync(directory, { recursive: true });
  });

  function bootstrap(): object {
    const fragments = [{ header_value_extractor: { name: 'x-scope', element_separator: ',', index: 0 } }];
    const manager = {
      '@type': `${FILTERS}network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'scoped',
      scoped_routes: {
        name: 'scopes',
        scope_key_builder: { fragments },
        rds_config_source: source('rds'),
        scoped_rds: { scoped_rds_config_source: source('srds') },
      },
      http_filters: [
        {
          name: 'discovered',
          config_discovery: { config_source: source('ecds'), type_urls: [`${FILTERS}http.buffer.v3.Buffer`] },
        },
        { name: 'router', typed_config: { '@type': `${FILTERS}http.router.v3.Router` } },
      ],
    };
    return {
      node: { id: 'n', cluster: 'override-cluster' },
      stats_flush_interval: '0.2s',
      layered_runtime: {
        layers: [
          { name: 'static', static_layer: { 'health_check.min_interval': 5, nested: { deeper: true } } },
          { name: 'disk', disk_layer: { symlink_root: file('current'), subdirectory: 'envoy' } },
          { name: 'cluster', disk_layer: { symlink_root: file('current'), append_service_cluster: true } },
          { name: 'far', rtds_layer: { name: 'far', rtds_config: source('rtds') } },
          { name: 'admin', admin_layer: {} },
        ],
      },
      static_resources: {
        listeners: [
          {
            name: 'in',
            address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
            filter_chains: [{ filters: [{ name: 'manager', typed_config: manager }] }],
          },
        ],
      },
    }; // biome-ignore format: a configuration
  }

  async function same(target: string, method = 'GET'): Promise<void> {
    const [theirs, ours] = await Promise.all(
      processes.map(async ({ adminPort: port }) => {
        const { status, body } = await ask({ host: '127.0.0.1', port, path: target }, { method });
        return { status, lines: withoutTimes(body).split('\n').map((line) => line.trimEnd().replace(/,$/, '')).sort() };
      }),
    ); // biome-ignore format: short
    assert.deepEqual(ours, theirs);
  }

  for (const target of [
    '/runtime',
    '/config_dump?resource=inline_scoped_route_configs',
    '/config_dump?resource=dynamic_scoped_route_configs',
    '/config_dump?resource=dynamic_route_configs',
    '/config_dump?resource=ecds_filters',
    '/config_dump?resource=ecds_filters&mask=version_info',
    '/config_dump?name_regex=scope-.*&resource=dynamic_scoped_route_configs',
    '/config_dump?name_regex=nothing&resource=ecds_filters',
    '/init_dump',
  ]) {
    test(target, () => same(target));
  }

  test('stats of the runtime and of subscriptions', async () => {
    const [theirs, ours] = await Promise.all(
      processes.map(async (each) =>
        [...(await statsOf(each))].filter(
          ([name]) =>
            /^(runtime|http\.scoped\.(scoped_rds|rds)|extension_config_discovery)\./.test(name) &&
            !/duration|time|version$/.test(name),
        ),
      ),
    );
    assert.ok(theirs!.length > 20, `${theirs!.length} stats`);
    assert.deepEqual(ours, theirs);
  });

  test('changes of the admin layer', async () => {
    await same('/runtime_modify?health_check.min_interval=11&new.key=x&disk.only=mine', 'POST');
    await same('/runtime');
    await same('/runtime_modify?disk.only=&far.number=', 'POST');
    await same('/runtime');
  });

  test('changes from a control plane and on disk', async () => {
    rtds('r2', { 'far.number': 4 });
    await sleep(SETTLE_MS);
    await same('/runtime');
    writeRuntime('2', { 'disk.only': 'other', 'disk/new': '12' });
    await sleep(SETTLE_MS);
    await same('/runtime');
  });
});

/** Without times, and without how a fraction is written: Envoy's text of it is for nobody to compare. */
function withoutTimes(body: string): string {
  return body
    .replaceAll(/"last_updated": "[^"]*"/g, '"last_updated": "..."')
    .replaceAll(/^( *(?:"final_value": )?).*TEN_THOUSAND.*$/gm, '$1"a fraction"');
}
