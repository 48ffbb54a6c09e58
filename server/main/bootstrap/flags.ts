// Every flag: Envoy 1.40's, then our own. The help texts are ours; a note in them says where a flag has no effect here,
// because whoever starts Envoy must be able to start this program with the same command line.
// https://www.envoyproxy.io/docs/envoy/latest/operations/cli

export type FlagType = 'switch' | 'string' | 'uint32';

export interface Flag {
  readonly name: string;
  readonly short?: string;
  readonly type: FlagType;
  /** May be given several times. */
  readonly repeated?: boolean;
  /** Shown instead of the type. */
  readonly value?: string;
  readonly help: string;
}

const NO_EFFECT = 'Accepted without effect:';

export const ENVOY_FLAGS = [
  { name: 'config-path', short: 'c', type: 'string', value: 'FILE', help: 'The bootstrap: a .json, .yaml, .yml or .pb file.' },
  { name: 'config-yaml', type: 'string', value: 'YAML', help: 'A bootstrap as text, merged over --config-path.' },
  { name: 'mode', type: 'string', help: "'serve' (default), 'validate' (check the configuration and exit 0 or 1), 'init_only' (come up and exit)." },
  { name: 'concurrency', type: 'uint32', help: 'Worker threads. Default: the number of cores this process may use.' },
  { name: 'service-cluster', type: 'string', help: "Replaces the bootstrap's node.cluster." },
  { name: 'service-node', type: 'string', help: "Replaces the bootstrap's node.id." },
  { name: 'service-zone', type: 'string', help: "Replaces the bootstrap's node.locality.zone." },
  { name: 'allow-unknown-static-fields', type: 'switch', help: 'Warn of unknown fields in the bootstrap instead of refusing it.' },
  { name: 'allow-unknown-fields', type: 'switch', help: 'The old name of --allow-unknown-static-fields.' },
  { name: 'reject-unknown-dynamic-fields', type: 'switch', help: 'Refuse resources from a control plane that have unknown fields. Default: count and warn.' },
  { name: 'ignore-unknown-dynamic-fields', type: 'switch', help: 'Say nothing of unknown fields in resources from a control plane.' },
  { name: 'admin-address-path', type: 'string', value: 'FILE', help: 'Where to write the address of the admin port.' },
  { name: 'local-address-ip-version', type: 'string', help: "'v4' (default) or 'v6': which of the machine's addresses is its own." },
  { name: 'log-level', short: 'l', type: 'string', help: 'trace, debug, info (default), warning or warn, error, critical, off.' },
  { name: 'component-log-level', type: 'string', help: 'Levels of single loggers: upstream:debug,config:trace.' },
  { name: 'log-path', type: 'string', value: 'FILE', help: 'Where to log instead of stderr.' },
  { name: 'log-format', type: 'string', help: 'Format of log lines (spdlog patterns). Default: [%Y-%m-%d %T.%e][%t][%l][%n] %v' },
  { name: 'log-format-escaped', type: 'switch', help: 'Keep each log entry on one line: control characters are escaped.' },
  { name: 'log-stacktrace-single-entry', type: 'switch', help: `${NO_EFFECT} stack traces always are one entry.` },
  { name: 'enable-fine-grain-logging', type: 'switch', help: `${NO_EFFECT} levels are set per logger, not per source file.` },
  { name: 'skip-deprecated-logs', type: 'switch', help: `${NO_EFFECT} deprecated fields are not warned of.` },
  { name: 'file-flush-interval-msec', type: 'uint32', help: 'How long access log lines may wait to be written. Default 10000.' },
  { name: 'file-flush-min-size-kb', type: 'uint32', help: 'Write access log lines once so many KB have gathered. Default 64.' },
  { name: 'drain-time-s', type: 'uint32', help: 'How long a listener that was changed or removed drains. Default 600.' },
  { name: 'drain-strategy', type: 'string', help: "'gradual' (default): ask more and more connections to close over the drain time, or 'immediate'." },
  { name: 'parent-shutdown-time-s', type: 'uint32', help: 'How long the old process may live in a hot restart. Default 900.' },
  { name: 'stats-tag', type: 'string', repeated: true, value: 'NAME:VALUE', help: 'A tag for all stats. May be repeated.' },
  { name: 'disable-extensions', type: 'string', value: 'NAMES', help: 'Extensions to leave out, separated by commas.' },
  { name: 'base-id', type: 'uint32', help: `${NO_EFFECT} nothing of this process is shared by name with others.` },
  { name: 'use-dynamic-base-id', type: 'switch', help: `${NO_EFFECT} see --base-id.` },
  { name: 'base-id-path', type: 'string', value: 'FILE', help: 'Where to write the base id (0, or --base-id).' },
  { name: 'restart-epoch', type: 'uint32', help: 'Shown in the stats and in /server_info.' },
  { name: 'hot-restart-version', type: 'switch', help: 'Print the hot restart version and exit.' },
  { name: 'disable-hot-restart', type: 'switch', help: `${NO_EFFECT} there is no shared memory to leave out.` },
  { name: 'skip-hot-restart-on-no-parent', type: 'switch', help: `${NO_EFFECT} a parent is never waited for.` },
  { name: 'skip-hot-restart-parent-stats', type: 'switch', help: `${NO_EFFECT} stats are not taken over from a parent.` },
  { name: 'socket-path', type: 'string', help: `${NO_EFFECT} no hot restart socket is made.` },
  { name: 'socket-mode', type: 'string', help: `${NO_EFFECT} no hot restart socket is made.` },
  { name: 'cpuset-threads', type: 'switch', help: `${NO_EFFECT} the default of --concurrency always counts the cores this process may use.` },
  { name: 'enable-mutex-tracing', type: 'switch', help: `${NO_EFFECT} there are no mutexes.` },
  { name: 'enable-core-dump', type: 'switch', help: `${NO_EFFECT} core dumps are up to the system (ulimit -c).` },
  { name: 'ignore_rest', type: 'switch', short: '-', help: 'Ignores what follows.' },
  { name: 'version', type: 'switch', help: 'Print the version and exit.' },
  { name: 'help', short: 'h', type: 'switch', help: 'Print this text and exit.' },
] as const satisfies readonly Flag[]; // biome-ignore format: a table

export const OWN_FLAGS = [
  { name: 'istiod', type: 'string', value: 'HOST:PORT', help: 'Write the bootstrap for this istiod instead of reading one: usually port 15010, in plaintext, or 15012 with --token-file and --root-ca.' },
  { name: 'token-file', type: 'string', value: 'FILE', help: "With --istiod: the service account's token (audience istio-ca), sent to istiod's CA for a certificate. Read again for each renewal." },
  { name: 'root-ca', type: 'string', value: 'FILE', help: "With --token-file: the mesh's roots in PEM, by which istiod is verified. Followed when it changes." },
  { name: 'service-account', type: 'string', help: "With --token-file: the workload's service account. Default 'default'." },
  { name: 'trust-domain', type: 'string', help: "With --token-file: the mesh's trust domain. Default 'cluster.local'." },
  { name: 'istiod-san', type: 'string', value: 'NAME', help: "With --token-file: the DNS name in istiod's certificate. Default 'istiod.istio-system.svc'." },
  { name: 'cluster-id', type: 'string', help: "With --istiod: Istio's name of the Kubernetes cluster. Default 'Kubernetes'." },
  { name: 'role', type: 'string', help: "With --istiod: 'sidecar' (default) or 'gateway'." },
  { name: 'node-id', type: 'string', help: 'With --istiod: the whole node id, type~ip~name.namespace~domain.' },
  { name: 'namespace', type: 'string', help: "With --istiod: the workload's namespace. Default 'default'." },
  { name: 'label', type: 'string', repeated: true, value: 'KEY=VALUE', help: 'With --istiod: a label of the workload. May be repeated.' },
  { name: 'resources', type: 'string', value: 'DIR', help: 'Serve the resources in the .yaml and .json files of this folder to this proxy, and follow their changes.' },
  { name: 'shutdown-grace-s', type: 'uint32', help: 'How long requests may take to finish after SIGTERM or SIGINT. Default 5.' },
  { name: 'admin-token-file', type: 'string', value: 'FILE', help: "The admin port's token: who shows it may do everything, nobody else anything. Read again when it changes." },
  { name: 'admin-viewer-token-file', type: 'string', value: 'FILE', help: 'A token for the admin port with which one can see everything and change nothing.' },
  { name: 'admin-cert-file', type: 'string', value: 'FILE', help: "The admin port's certificate in PEM: it speaks TLS then. Followed when it changes." },
  { name: 'admin-key-file', type: 'string', value: 'FILE', help: 'With --admin-cert-file: its private key.' },
  { name: 'admin-client-ca-file', type: 'string', value: 'FILE', help: 'With --admin-cert-file: who has a certificate of these roots can see everything.' },
  { name: 'admin-client-san', type: 'string', repeated: true, value: 'NAME', help: 'With --admin-client-ca-file: a name in the certificate (URI, DNS, ...) whose owner may do everything. May be repeated.' },
  { name: 'admin-trust-loopback', type: 'switch', help: "With credentials: loopback peers need none, for Istio's agent." },
  { name: 'admin-allow-remote-writes', type: 'switch', help: 'Without credentials: other peers than loopback may change things, too, not only read.' },
  { name: 'admin-host', type: 'string', repeated: true, value: 'NAME', help: 'A host name by which the admin port is asked for, besides IP addresses and localhost. May be repeated.' },
] as const satisfies readonly Flag[]; // biome-ignore format: a table

export type EnvoyFlagName = (typeof ENVOY_FLAGS)[number]['name'];
export type OwnFlagName = (typeof OWN_FLAGS)[number]['name'];
export type FlagName = EnvoyFlagName | OwnFlagName;

export const ALL_FLAGS: readonly Flag[] = [...ENVOY_FLAGS, ...OWN_FLAGS];

/** What --help prints. */
export function helpText(program: string): string {
  const lines = [
    `Usage: ${program} [flags]`,
    '',
    'A proxy that takes its configuration as Envoy does. Without -c, --config-yaml, --istiod or --resources it runs a demo.',
    '`explain --help`: ask what happens to a request.',
    '',
  ];
  for (const [title, flags] of [
    ["Envoy's flags:", ENVOY_FLAGS],
    ['Flags of its own:', OWN_FLAGS],
  ] as const) {
    lines.push(title);
    for (const flag of flags) lines.push(...flagHelp(flag));
    lines.push('');
  }
  return lines.join('\n');
}

function flagHelp(flag: Flag): string[] {
  const value = flag.type === 'switch' ? '' : ` <${flag.value ?? flag.type}>`;
  const short = flag.short === undefined ? '' : `-${flag.short}, `;
  return [`  ${short}--${flag.name}${value}`, `      ${flag.help}`];
}
