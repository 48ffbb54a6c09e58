// `--mode validate` beside a real Envoy: the same verdict for each bootstrap, and a reason that says the same.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { ConfigError } from '../../server/api/config_error.ts';
import { setLogLevel } from '../../server/common/log.ts';
import { loadBootstrap } from '../../server/main/bootstrap/bootstrap.ts';
import { parseCommandLine } from '../../server/main/bootstrap/command_line.ts';
import { validate } from '../../server/main/run.ts';
import { ENVOY_BIN } from './envoy_process.ts';

setLogLevel(undefined, 'off');

/** 'OK' or the reason. */
function ours(yaml: string): string {
  const commandLine = parseCommandLine(['--mode', 'validate', '--config-yaml', yaml]);
  assert.ok(commandLine.type === 'run');
  try {
    const { bootstrap } = loadBootstrap(commandLine.options);
    validate(bootstrap, commandLine.options);
    return 'OK';
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

function envoys(yaml: string): string {
  const { stderr, status } = spawnSync(
    ENVOY_BIN as string,
    ['--mode', 'validate', '--disable-hot-restart', '-l', 'critical', '--config-yaml', yaml],
    { encoding: 'utf8', timeout: 10_000 },
  );
  return status === 0 ? 'OK' : stderr;
}

const socket = (address: string, port = 80): string =>
  `{socket_address: {address: ${address}, port_value: ${port}}}`;
const host = (address: string): string => `{endpoint: {address: ${socket(address)}}}`;
const hosts = (...addresses: string[]): string =>
  `load_assignment: {cluster_name: a, endpoints: [{lb_endpoints: [${addresses.map(host).join()}]}]}`;
const clusters = (...all: string[]): string => `{static_resources: {clusters: [${all.join()}]}}`;
const listenerOf = (name: string, port: number, more = ''): string =>
  `{name: ${name}, address: ${socket('127.0.0.1', port)}, filter_chains: [{filters: [{name: x, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo}}]}]${more}}`;
const listeners = (...all: string[]): string => `{static_resources: {listeners: [${all.join()}]}}`;
const filtered = (config: string): string =>
  listeners(`{name: l, address: ${socket('127.0.0.1')}, filter_chains: [{filters: [{name: x${config}}]}]}`);
const layers = (...all: string[]): string => `{layered_runtime: {layers: [${all.join()}]}}`;
const ADS = '{ads: {}, resource_api_version: V3}';
const NODE = 'node: {id: a, cluster: b}';

/** Bootstrap and what both say of it; the path is ours alone. */
const CASES: readonly [name: string, yaml: string, reason: RegExp][] = [
  ['an empty cluster', clusters('{name: a}'), /^OK$/],
  ['hosts', clusters(`{name: a, type: STATIC, ${hosts('127.0.0.1', '::1')}}`), /^OK$/],
  ['a duplicate cluster', clusters('{name: a}', '{name: a}'), /cluster manager: duplicate cluster 'a'/],
  ['an unknown enum value', clusters('{name: a, lb_policy: NOPE}'), /unknown enum value: 'NOPE'/],
  ['an unknown field', clusters('{name: a, nope: 1}'), /no\s+such\s+field:\s+'nope'/],
  ['no name', clusters('{name: ""}'), /ClusterValidationError.Name: value length must be at least 1 characters/],
  ['a host name in a STATIC cluster', clusters(`{name: a, ${hosts('foo.com')}}`), /malformed IP address: foo.com. Consider setting resolver_name/],
  ['EDS without a source', clusters('{name: a, type: EDS}'), /cannot create an EDS cluster without an EDS config/],
  ['two hosts in LOGICAL_DNS', clusters(`{name: a, type: LOGICAL_DNS, ${hosts('a.b', 'c.d')}}`), /LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint/],
  ['no host in LOGICAL_DNS', clusters('{name: a, type: LOGICAL_DNS}'), /LOGICAL_DNS clusters must have a single host/],
  ['an unknown local cluster', '{cluster_manager: {local_cluster_name: z}}', /local cluster 'z' must be defined/],
  ['a listener', listeners(listenerOf('l', 1)), /^OK$/],
  ['the same listener twice', listeners(listenerOf('l', 1), listenerOf('l', 1)), /^OK$/],
  ['two listeners of one address', listeners(listenerOf('l', 1), listenerOf('m', 1)), /'m' has duplicate address '127.0.0.1:1' as existing listener/],
  ['… even without a socket', listeners(listenerOf('l', 1), listenerOf('m', 1, ', bind_to_port: false')), /'m' has duplicate address/],
  ['two listeners of port 0', listeners(listenerOf('l', 0), listenerOf('m', 0)), /^OK$/],
  ['a type nobody knows', filtered(', typed_config: {"@type": type.googleapis.com/nope.Nope}'), /could not find @type 'type.googleapis.com\/nope.Nope'/],
  ['a type that is no filter', filtered(', typed_config: {"@type": type.googleapis.com/google.protobuf.Duration, value: 1s}'), /Didn't find a registered implementation for 'x' with type URL: 'google.protobuf.Duration'/],
  ['a filter without configuration', filtered(''), /Didn't find a registered implementation for 'x' with type URL: ''/],
  ['a TypedStruct of an unknown type', filtered(', typed_config: {"@type": type.googleapis.com/xds.type.v3.TypedStruct, type_url: a/nope.X}'), /'x' with type URL: 'nope.X'/],
  ['a secret twice', '{static_resources: {secrets: [{name: s, generic_secret: {secret: {inline_string: a}}}, {name: s, generic_secret: {secret: {inline_string: a}}}]}}', /Duplicate static GenericSecret secret name s/],
  ['a broken secret that nobody uses', '{static_resources: {secrets: [{name: s, tls_certificate: {certificate_chain: {inline_string: a}, private_key: {inline_string: b}}}]}}', /^OK$/],
  ['runtime layers', layers('{name: a, static_layer: {x: {y: 1}, f: {numerator: 5}}}', '{name: b, admin_layer: {}}'), /^OK$/],
  ['a layer twice', layers('{name: a, static_layer: {}}', '{name: a, static_layer: {}}'), /Duplicate layer name: a/],
  ['two admin layers', layers('{name: a, admin_layer: {}}', '{name: b, admin_layer: {}}'), /Too many admin layers specified in LayeredRuntime/],
  ['a layer of no kind', layers('{name: a}'), /layer_specifier.*is required/s],
  ['a null in a layer', layers('{name: a, static_layer: {n: null}}'), /Invalid runtime entry value for n/],
  ['an unknown resource monitor', '{overload_manager: {resource_monitors: [{name: nope}]}}', /Didn't find a registered implementation for 'nope' with type URL: ''/],
  ['an unknown bootstrap extension', '{bootstrap_extensions: [{name: nope, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}]}', /Didn't find a registered implementation for 'nope'/],
  ['CDS by ADS without a node', `{dynamic_resources: {cds_config: ${ADS}}}`, /node 'id' and 'cluster' are required/],
  ['ADS by a cluster that is not there', `{${NODE}, dynamic_resources: {ads_config: {api_type: GRPC, transport_api_version: V3, grpc_services: {envoy_grpc: {cluster_name: nope}}}, cds_config: ${ADS}}}`, /Unknown gRPC client cluster 'nope'/],
  ['CDS from a file that is not there', `{${NODE}, dynamic_resources: {cds_config: {path_config_source: {path: /nonexistent}, resource_api_version: V3}}}`, /paths must refer to an existing path in the system: '\/nonexistent' does not exist/],
  ['CDS from a file without a node', '{dynamic_resources: {cds_config: {path_config_source: {path: /x}}}}', /node 'id' and 'cluster' are required/],
  ['a flush interval of 0', '{stats_flush_interval: 0s}', /StatsFlushInterval: value must be inside range \[1ms, 5m0s\)/],
]; // biome-ignore format: a table

describe('--mode validate', () => {
  for (const [name, yaml, reason] of CASES) {
    test(name, () => {
      assert.match(ours(yaml), reason);
      if (ENVOY_BIN !== undefined) assert.match(envoys(yaml), reason);
    });
  }

  test('compared with Envoy', { skip: ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN' }, () => {});
});
