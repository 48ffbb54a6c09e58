// Reads the command line as Envoy does (TCLAP: `--flag value`, `--flag=value`, `-c value`) and with its error texts.
// Envoy: source/server/options_impl.cc, options_impl_base.cc.

import { availableParallelism } from 'node:os';
import { LOGGER_NAMES, type LogLevel, parseLogLevel } from '../../common/log.ts';
import type { AdminOptions } from '../admin/credentials.ts';
import { adminOptions } from './admin_options.ts';
import { invalid, ParseError, Values } from './flag_values.ts';
import { ALL_FLAGS, type Flag, type FlagName } from './flags.ts';

export interface Options {
  readonly configPath: string;
  readonly configYaml: string;
  readonly mode: 'serve' | 'validate' | 'init_only';
  readonly concurrency: number;
  readonly serviceCluster: string;
  readonly serviceNode: string;
  readonly serviceZone: string;
  readonly allowUnknownStaticFields: boolean;
  readonly unknownDynamicFields: 'reject' | 'warn' | 'ignore';
  readonly adminAddressPath: string;
  readonly localAddressIpVersion: 'v4' | 'v6';
  readonly logLevel: LogLevel;
  /** As given, for /server_info. */
  readonly componentLogLevel: string;
  readonly componentLogLevels: readonly { readonly name: string; readonly level: LogLevel }[];
  readonly logPath: string;
  /** '' = the default. */
  readonly logFormat: string;
  readonly logFormatEscaped: boolean;
  readonly skipDeprecatedLogs: boolean;
  readonly fileFlushIntervalMs: number;
  readonly fileFlushMinSizeKb: number;
  readonly drainTimeS: number;
  readonly drainStrategy: 'gradual' | 'immediate';
  readonly parentShutdownTimeS: number;
  readonly statsTags: readonly { readonly name: string; readonly value: string }[];
  readonly disabledExtensions: readonly string[];
  readonly baseId: number;
  readonly baseIdPath: string;
  readonly restartEpoch: number;
  /** Switches that change nothing, for /server_info. */
  readonly inert: Readonly<Partial<Record<FlagName, string | true>>>;
  readonly istiod: IstiodOptions | undefined;
  /** Folder of the embedded control plane; '' = none. */
  readonly resources: string;
  readonly shutdownGraceS: number;
  readonly admin: AdminOptions;
}

export interface IstiodOptions {
  readonly address: string;
  readonly role: 'sidecar' | 'gateway';
  /** '' = made from the machine's address and name. */
  readonly nodeId: string;
  readonly namespace: string;
  /** Istio's name of the Kubernetes cluster. */
  readonly clusterId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined for an istiod that is spoken to in plaintext. */
  readonly identity: IdentityOptions | undefined;
}

/** How the workload comes by its identity in the mesh. */
export interface IdentityOptions {
  readonly tokenFile: string;
  readonly rootCa: string;
  readonly serviceAccount: string;
  readonly trustDomain: string;
  /** The DNS name that istiod's certificate must have. */
  readonly istiodSan: string;
}

/** `print` is what to say before leaving with `exitCode`; on stderr when that is not 0. */
export type CommandLine =
  | { readonly type: 'run'; readonly options: Options }
  | { readonly type: 'print'; readonly flag: 'help' | 'version' | 'hot-restart-version' }
  | { readonly type: 'error'; readonly text: string };

const PROGRAM = 'pilotfish';
const MAX_UINT32 = 0xffff_ffff;

export function parseCommandLine(args: readonly string[]): CommandLine {
  try {
    const values = scan(args);
    for (const flag of ['help', 'version', 'hot-restart-version'] as const) {
      if (values.has(flag)) return { type: 'print', flag };
    }
    return { type: 'run', options: interpret(values) };
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return { type: 'error', text: error.message };
  }
}

function scan(args: readonly string[]): Values {
  const values = new Values();
  for (let i = 0; i < args.length; i++) {
    const argument = args[i] as string;
    if (argument === '--' || argument === '--ignore_rest') break;
    const [head, inline] = splitEquals(argument);
    const flag = findFlag(head);
    if (flag === undefined) throw argumentError(argument, "Couldn't find match for argument");
    const label = flag.short === undefined ? `(--${flag.name})` : `-${flag.short} (--${flag.name})`;
    const name = flag.name as FlagName;
    if (values.has(name) && flag.repeated !== true) throw argumentError(label, 'Argument already set!');
    if (flag.type === 'switch') {
      values.set(name, '');
      continue;
    }
    const value = inline ?? args[++i];
    if (value === undefined) throw argumentError(label, 'Missing a value for this argument!');
    if (flag.type === 'uint32' && !(/^\d+$/.test(value) && Number(value) <= MAX_UINT32)) {
      throw argumentError(label, `Couldn't read argument value from string '${value}'`);
    }
    values.set(name, value);
  }
  return values;
}

function splitEquals(argument: string): [string, string | undefined] {
  const equals = argument.startsWith('--') ? argument.indexOf('=') : -1;
  return equals < 0 ? [argument, undefined] : [argument.slice(0, equals), argument.slice(equals + 1)];
}

function findFlag(head: string): Flag | undefined {
  return ALL_FLAGS.find((flag) => head === `--${flag.name}` || head === `-${flag.short}`);
}

function argumentError(argument: string, reason: string): ParseError {
  return new ParseError(
    `PARSE ERROR: Argument: ${argument}\n             ${reason}\n\nFor complete USAGE and HELP type: \n   ${PROGRAM} --help\n`,
  );
}

function interpret(values: Values): Options {
  const logLevel = parseLogLevel(values.text('log-level', 'info'));
  if (logLevel === undefined) throw invalid(`invalid log level specified '${values.text('log-level')}'`);
  return {
    configPath: values.text('config-path'),
    configYaml: values.text('config-yaml'),
    mode: choice(values, 'mode', ['serve', 'validate', 'init_only'], 'unknown mode'),
    // Envoy runs one worker when told 0.
    concurrency: Math.max(1, values.number('concurrency', availableParallelism())),
    serviceCluster: values.text('service-cluster'),
    serviceNode: values.text('service-node'),
    serviceZone: values.text('service-zone'),
    allowUnknownStaticFields: values.has('allow-unknown-static-fields') || values.has('allow-unknown-fields'),
    unknownDynamicFields: unknownDynamicFields(values),
    adminAddressPath: values.text('admin-address-path'),
    localAddressIpVersion: choice(
      values,
      'local-address-ip-version',
      ['v4', 'v6'],
      'unknown IP address version',
    ),
    logLevel,
    componentLogLevel: values.text('component-log-level'),
    componentLogLevels: componentLogLevels(values),
    logPath: values.text('log-path'),
    logFormat: values.text('log-format'),
    logFormatEscaped: values.has('log-format-escaped'),
    skipDeprecatedLogs: values.has('skip-deprecated-logs'),
    fileFlushIntervalMs: values.number('file-flush-interval-msec', 10_000),
    fileFlushMinSizeKb: values.number('file-flush-min-size-kb', 64),
    drainTimeS: values.number('drain-time-s', 600),
    drainStrategy: choice(values, 'drain-strategy', ['gradual', 'immediate'], 'unknown drain-strategy'),
    parentShutdownTimeS: values.number('parent-shutdown-time-s', 900),
    statsTags: values.all('stats-tag').map(statsTag),
    disabledExtensions: values.text('disable-extensions').split(',').filter(Boolean),
    baseId: values.number('base-id', 0),
    baseIdPath: values.text('base-id-path'),
    restartEpoch: values.number('restart-epoch', 0),
    inert: inert(values),
    istiod: istiodOptions(values),
    resources: values.text('resources'),
    shutdownGraceS: values.number('shutdown-grace-s', 5),
    admin: adminOptions(values),
  };
}

/** The first of `allowed` is the default. */
function choice<T extends string>(
  values: Values,
  flag: FlagName,
  allowed: readonly [T, ...T[]],
  reason: string,
): T {
  const value = values.text(flag, allowed[0]);
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw invalid(`${reason} '${value}'`);
  return found;
}

function unknownDynamicFields(values: Values): 'reject' | 'warn' | 'ignore' {
  if (values.has('reject-unknown-dynamic-fields')) return 'reject';
  return values.has('ignore-unknown-dynamic-fields') ? 'ignore' : 'warn';
}

function componentLogLevels(values: Values): { name: string; level: LogLevel }[] {
  const text = values.text('component-log-level');
  if (text === '') return [];
  if (values.has('enable-fine-grain-logging')) {
    throw invalid('--component-log-level will not work with --enable-fine-grain-logging');
  }
  return text.split(',').map((entry) => {
    const [name, level, ...rest] = entry.split(':');
    if (name === undefined || level === undefined || rest.length > 0) {
      throw invalid(`component log level not correctly specified '${entry}'`);
    }
    const parsed = parseLogLevel(level);
    if (parsed === undefined) throw invalid(`invalid log level specified '${level}'`);
    if (!(LOGGER_NAMES as readonly string[]).includes(name)) {
      throw invalid(`invalid component specified '${name}'`);
    }
    return { name, level: parsed };
  });
}

function statsTag(text: string): { name: string; value: string } {
  const colon = text.indexOf(':');
  if (colon <= 0) throw invalid(`misformatted stats-tag '${text}'`);
  const name = text.slice(0, colon);
  const value = text.slice(colon + 1);
  if (!/^\w+$/.test(name)) {
    throw invalid(`misformatted stats-tag '${text}' contains invalid char in '${name}'`);
  }
  if (value === '' || value.includes('.')) {
    throw invalid(`misformatted stats-tag '${text}' contains invalid char in '${value}'`);
  }
  return { name, value };
}

const INERT_FLAGS: readonly FlagName[] = [
  'disable-hot-restart',
  'cpuset-threads',
  'enable-mutex-tracing',
  'enable-core-dump',
  'enable-fine-grain-logging',
  'log-stacktrace-single-entry',
  'use-dynamic-base-id',
  'skip-hot-restart-on-no-parent',
  'skip-hot-restart-parent-stats',
  'socket-path',
  'socket-mode',
];

function inert(values: Values): Options['inert'] {
  const found: Partial<Record<FlagName, string | true>> = {};
  for (const name of INERT_FLAGS) if (values.has(name)) found[name] = values.text(name) || true;
  return found;
}

const IDENTITY_FLAGS: readonly FlagName[] = ['service-account', 'trust-domain', 'istiod-san'];
const ISTIOD_FLAGS: readonly FlagName[] = [
  'role',
  'node-id',
  'namespace',
  'label',
  'cluster-id',
  'token-file',
  'root-ca',
  ...IDENTITY_FLAGS,
];

function istiodOptions(values: Values): IstiodOptions | undefined {
  const address = values.text('istiod');
  if (address === '') {
    const stray = ISTIOD_FLAGS.find((flag) => values.has(flag));
    if (stray !== undefined) throw invalid(`--${stray} is only used with --istiod`);
    return undefined;
  }
  if (!/^.+:\d+$/.test(address)) throw invalid(`--istiod must be HOST:PORT, not '${address}'`);
  const labels: Record<string, string> = {};
  for (const label of values.all('label')) {
    const equals = label.indexOf('=');
    if (equals <= 0) throw invalid(`--label must be KEY=VALUE, not '${label}'`);
    labels[label.slice(0, equals)] = label.slice(equals + 1);
  }
  return {
    address,
    role: choice(values, 'role', ['sidecar', 'gateway'], 'unknown role'),
    nodeId: values.text('node-id'),
    namespace: values.text('namespace', 'default'),
    clusterId: values.text('cluster-id', 'Kubernetes'),
    labels,
    identity: identityOptions(values),
  };
}

/** The defaults are Istio's. */
function identityOptions(values: Values): IdentityOptions | undefined {
  const tokenFile = values.text('token-file');
  const rootCa = values.text('root-ca');
  if (tokenFile === '' && rootCa === '') {
    const stray = IDENTITY_FLAGS.find((flag) => values.has(flag));
    if (stray !== undefined) throw invalid(`--${stray} is only used with --token-file and --root-ca`);
    return undefined;
  }
  if (rootCa === '') throw invalid('--token-file needs --root-ca: a token is sent only to a verified istiod');
  if (tokenFile === '') throw invalid('--root-ca needs --token-file: istiod gives a certificate for a token');
  return {
    tokenFile,
    rootCa,
    serviceAccount: values.text('service-account', 'default'),
    trustDomain: values.text('trust-domain', 'cluster.local'),
    istiodSan: values.text('istiod-san', 'istiod.istio-system.svc'),
  };
}
