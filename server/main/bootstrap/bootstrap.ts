// Loads the bootstrap from --config-path, --config-yaml or both, and checks all of it that is not a resource.
// Envoy: source/server/server.cc (InstanceUtil::loadBootstrapConfig), source/common/protobuf/utility.cc.

import { readFileSync } from 'node:fs';
import type { Bootstrap } from '../../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import { fromJson, toJson } from '../../../xds-protos/json.ts';
import { create, decode, encode } from '../../../xds-protos/load.ts';
import { redact } from '../../../xds-protos/redact.ts';
import { assertValid } from '../../../xds-protos/validate.ts';
import { ConfigError } from '../../api/config_error.ts';
import { yaml } from '../../common/packages.ts';
import { checkBootstrapFields, type InertField } from './bootstrap_fields.ts';
import type { Options } from './command_line.ts';

const BOOTSTRAP = 'envoy.config.bootstrap.v3.Bootstrap';

export interface LoadedBootstrap {
  readonly bootstrap: Bootstrap;
  /** Paths of unknown fields, with --allow-unknown-static-fields. */
  readonly unknownFields: readonly string[];
  readonly inertFields: readonly InertField[];
}

/** Throws ConfigError with Envoy's reasons. `base` is a bootstrap that the user's is merged over, and then need not exist. */
export function loadBootstrap(options: Options, base?: Bootstrap): LoadedBootstrap {
  const { configPath, configYaml } = options;
  if (configPath === '' && configYaml === '' && base === undefined) {
    throw new ConfigError(
      '',
      'At least one of --config-path or --config-yaml or Options::configProto() should be non-empty',
    );
  }
  const unknown: string[] | undefined = options.allowUnknownStaticFields ? [] : undefined;
  const parts: Bootstrap[] = base === undefined ? [] : [base];
  if (configPath !== '') parts.push(readBootstrap(configPath, unknown));
  if (configYaml !== '') parts.push(fromJson(BOOTSTRAP, parseYaml(configYaml), { unknownFields: unknown }));
  // Bytes of messages one after the other decode as their merge: that is protobuf's MergeFrom.
  const bytes = Buffer.concat(parts.map((part) => encode(BOOTSTRAP, part)));
  return finishBootstrap(decode(BOOTSTRAP, bytes), options, unknown ?? []);
}

/** The text of --config-yaml as it may be shown: as it is, or, where secrets are in it, as JSON without them. */
export function redactedYaml(text: string): string {
  if (text === '') return text;
  const bootstrap = fromJson<Bootstrap>(BOOTSTRAP, parseYaml(text), { unknownFields: [] });
  const whole = JSON.stringify(toJson(BOOTSTRAP, bootstrap, { preserveProtoFieldNames: true }));
  const safe = redact(BOOTSTRAP, bootstrap);
  const shown = JSON.stringify(toJson(BOOTSTRAP, safe, { preserveProtoFieldNames: true }));
  return shown === whole ? text : shown;
}

/** Checks it and puts what the command line says about the node into it. */
function finishBootstrap(
  bootstrap: Bootstrap,
  options: Options,
  unknownFields: readonly string[],
): LoadedBootstrap {
  assertValid(BOOTSTRAP, bootstrap, '');
  const inertFields = checkBootstrapFields(bootstrap);
  const complete = create(BOOTSTRAP, { ...bootstrap, node: nodeOf(bootstrap, options) });
  checkNode(complete);
  return { bootstrap: complete, unknownFields, inertFields };
}

function readBootstrap(path: string, unknownFields: string[] | undefined): Bootstrap {
  const bytes = readFile(path);
  if (path.endsWith('.pb')) return decode(BOOTSTRAP, bytes);
  const text = bytes.toString('utf8');
  if (path.endsWith('.json')) return fromJson(BOOTSTRAP, parseJson(text), { unknownFields });
  if (/\.ya?ml$/.test(path)) return fromJson(BOOTSTRAP, parseYaml(text), { unknownFields });
  throw new ConfigError(
    '',
    `Unable to parse file "${path}" as a .json, .yaml, .yml or .pb file (by its name)`,
  );
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw new ConfigError('', `Invalid path: ${path}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 quotes what stands around the mistake, and that may be a secret.
    const reason = (error as Error).message.replace(
      /, (?:\.\.\.)?".*" is not valid JSON$/s,
      ' is not valid JSON',
    );
    throw new ConfigError('', `Unable to parse JSON as proto (INVALID_ARGUMENT: ${reason})`);
  }
}

function parseYaml(text: string): unknown {
  const { parse, YAMLParseError } = yaml();
  try {
    return parse(text) ?? {};
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    const position = error.linePos?.[0];
    const where = position === undefined ? '' : ` at line ${position.line}, column ${position.col}`;
    throw new ConfigError('', `yaml error${where}: ${error.message.split('\n')[0]}`);
  }
}

/** The flags go before what the bootstrap says. */
function nodeOf(bootstrap: Bootstrap, options: Options): object {
  const { node } = bootstrap;
  const { serviceNode, serviceCluster, serviceZone } = options;
  return {
    ...node,
    id: serviceNode || node?.id,
    cluster: serviceCluster || node?.cluster,
    locality: serviceZone === '' ? node?.locality : { ...node?.locality, zone: serviceZone },
  };
}

/** Who asks for resources, even from files, must say who it is. */
function checkNode({ node, dynamic_resources: dynamic, static_resources: statics }: Bootstrap): void {
  if (node?.id && node.cluster) return;
  const missing = (path: string, type: string): ConfigError =>
    new ConfigError(
      path,
      `type.googleapis.com/${type}: node 'id' and 'cluster' are required. Set it either in 'node' config or via --service-node and --service-cluster options.`,
    );
  const eds = statics?.clusters.findIndex(({ type }) => type === 'EDS') ?? -1;
  if (eds >= 0 && statics?.clusters[eds]?.eds_cluster_config !== undefined) {
    throw missing(
      `static_resources.clusters[${eds}].eds_cluster_config`,
      'envoy.config.endpoint.v3.ClusterLoadAssignment',
    );
  }
  if (dynamic?.cds_config !== undefined) {
    throw missing('dynamic_resources.cds_config', 'envoy.config.cluster.v3.Cluster');
  }
  if (dynamic?.lds_config !== undefined) {
    throw missing('dynamic_resources.lds_config', 'envoy.config.listener.v3.Listener');
  }
}
