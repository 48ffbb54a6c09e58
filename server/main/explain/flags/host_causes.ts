// UH, UF, UC, UR, UPE, LR: what was wrong between the proxy and the hosts of the cluster.

import type { Cluster } from '../../../../xds-protos/generated/envoy/config/cluster/v3.ts';
import type {
  CommonTlsContext,
  SubjectAltNameMatcher,
  UpstreamTlsContext,
} from '../../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { decodeAny, typeNameOf } from '../../../../xds-protos/load.ts';
import { durationMs } from '../../../../xds-protos/well_known.ts';
import type { FlagEvidence } from './flag_evidence.ts';
import type { Cause, Evidence } from './flag_explanation.ts';

/** More hosts than these are counted only. */
const LISTED_HOSTS = 10;

export function noHealthyUpstream(evidence: FlagEvidence): Cause {
  const { request, explanation } = evidence;
  const { cluster } = request;
  const link = { kind: 'cluster', name: cluster } as const;
  const step = explanation.steps.find((each) => each.step === 'hosts');
  const hosts = explanation.hosts.filter((host) => host.cluster === cluster);
  const list = hosts
    .slice(0, LISTED_HOSTS)
    .map(({ address, reason }): Evidence => ({ name: `host ${address}`, value: reason }));
  const now =
    step?.ok === true
      ? ` Now ${hosts.filter(({ share }) => share > 0).length} of ${hosts.length} can be used.`
      : '';
  const why = step === undefined || step.ok ? 'none of its hosts could be used then' : step.reason;
  return {
    reason: `Cluster '${cluster}' has no host for the request: ${why}.${now}`,
    evidence: [
      { name: 'hosts', value: `${hosts.length}`, link },
      ...list,
      ...connectionPools(evidence),
      ...healthChecks(evidence.clusterMessage),
      ...(step?.items ?? []).map(({ note }) => ({ name: 'load balancing', value: note })),
    ],
    advice: adviceForHosts(evidence, hosts),
    live: true,
  };
}

function adviceForHosts(
  { request, clusterMessage }: FlagEvidence,
  hosts: readonly { readonly health_flags: readonly string[]; readonly health: string }[],
): string[] {
  const flags = new Set(hosts.flatMap(({ health_flags }) => health_flags));
  const advice: string[] = [];
  if (hosts.length === 0) {
    const eds =
      clusterMessage?.type === 'EDS'
        ? 'Does the service have endpoints that are ready? The control plane sends them by EDS.'
        : 'Give the cluster hosts, or look why its name does not resolve.';
    advice.push(eds);
  }
  if (flags.has('failed_active_hc'))
    advice.push('Ask the health check path on the host itself; the check below is what it must answer.');
  if (flags.has('failed_outlier_check'))
    advice.push(
      'Outlier detection has ejected hosts for their errors: look into their logs, or raise its thresholds or max_ejection_percent.',
    );
  if (flags.has('failed_eds_health'))
    advice.push(
      'The control plane says that the hosts are unhealthy: for Kubernetes, look at the readiness of the pods.',
    );
  if (hosts.length > 0 && hosts.every(({ health }) => health !== 'unhealthy'))
    advice.push(
      `The hosts are well, but the subset that the route of '${request.authority}' asks for has none: compare metadata_match with the labels of the hosts.`,
    );
  return advice;
}

/** A request that would need one pool more than there may be is answered like one for which there is no host. */
function connectionPools(evidence: FlagEvidence): Evidence[] {
  const refused = evidence.clusterStat('upstream_cx_pool_overflow');
  const { used, limit } = evidence.cluster?.resourceManager(0).use().cx_pools ?? { used: 0, limit: 0 };
  if (refused === 0) return [];
  return [
    {
      name: 'max_connection_pools',
      value: `${refused} requests refused so far for want of a connection pool; now ${used} of ${limit}`,
    },
  ];
}

function healthChecks(message: Cluster | undefined): Evidence[] {
  return (message?.health_checks ?? []).map((check) => {
    const probe = check.http_health_check;
    const what =
      probe !== undefined ? `HTTP ${probe.path}` : check.grpc_health_check !== undefined ? 'gRPC' : 'TCP';
    const failures = check.unhealthy_threshold?.value ?? 0;
    const every = durationMs(check.interval) ?? 0;
    return {
      name: 'health check',
      value: `${what} every ${every} ms, within ${durationMs(check.timeout) ?? 0} ms; ${failures} failures make a host unhealthy`,
    };
  });
}

export function connectionFailure(evidence: FlagEvidence): Cause {
  const { request } = evidence;
  const { transport_failure: failure, cluster, host } = request;
  const link = { kind: 'cluster', name: cluster } as const;
  const base: Evidence[] = [
    { name: 'host', value: host || 'none was reached', link },
    { name: 'transport failure', value: failure || 'none was told' },
    { name: 'connect failures of the cluster', value: `${evidence.clusterStat('upstream_cx_connect_fail')}` },
  ];
  if (failure.includes('TLS_error')) return tlsFailure(evidence, base);
  if (
    request.details.includes('connection_timeout') ||
    failure.includes('connect timeout') ||
    /timed? ?out/i.test(failure)
  ) {
    const timeout = evidence.cluster?.connectTimeoutMs;
    return {
      reason: `Host ${host} of cluster '${cluster}' did not accept the connection within connect_timeout${timeout === undefined ? '' : ` (${timeout} ms)`}.`,
      evidence: [
        ...base,
        { name: 'connect_timeout', value: timeout === undefined ? 'the cluster is gone' : `${timeout} ms` },
      ],
      advice: [
        'Is the host reachable from here (routes, firewalls, security groups)? A packet that is dropped looks like this.',
        'If the host is only slow, raise connect_timeout of the cluster.',
      ],
      live: timeout !== undefined,
    };
  }
  if (failure.includes('Connection refused')) {
    return {
      reason: `Nobody listens on ${host}: the host of cluster '${cluster}' refused the connection.`,
      evidence: base,
      advice: [
        'Does the application run, and on this port? Compare the port of the endpoint with that of the process.',
        'A health check or outlier detection would take the host out of the rotation.',
      ],
      live: false,
    };
  }
  const plainToTls = request.details.includes('connection_termination') || failure === '';
  return {
    reason: `The connection to ${host || 'a host'} of cluster '${cluster}' failed: ${failure || 'it was closed before anything could be sent'}.`,
    evidence: base,
    advice: plainToTls
      ? ['Does the host expect TLS (or none) where the cluster does the other? Look at its transport_socket.']
      : ['Look at the network between this proxy and the host.'],
    live: false,
  };
}

function tlsFailure(evidence: FlagEvidence, base: readonly Evidence[]): Cause {
  const { request } = evidence;
  const { transport_failure: failure, cluster, host } = request;
  const context = upstreamTls(evidence.clusterMessage);
  const expected = expectedNames(context);
  const presented = /certificate SANs(?: are|:) \[([^\]]*)\]/.exec(failure)?.[1];
  const sni = context?.sni ?? '';
  const more: Evidence[] = [
    ...(presented === undefined
      ? []
      : [{ name: 'SANs presented by the host', value: presented === '' ? 'none' : presented }]),
    ...(expected === undefined ? [] : [{ name: 'SANs expected', value: expected }]),
    { name: 'server name (SNI) sent', value: sni === '' ? 'none, or the host of the request' : sni },
  ];
  if (presented !== undefined) {
    const wanted =
      /expected SANs: \[([^\]]*)\]/.exec(failure)?.[1] ??
      expected ??
      'those that the validation context names';
    return {
      reason: `The certificate of ${host} names ${presented === '' ? 'nobody' : `'${presented}'`}, but cluster '${cluster}' accepts only '${wanted}' (SAN mismatch).`,
      evidence: [...base, ...more],
      advice: [
        'If the host is the right one, add its SAN to match_typed_subject_alt_names of the validation context (in a mesh: subjectAltNames of the DestinationRule or ServiceEntry).',
        'If it is not, the endpoint points to somebody else: an address that was given to another pod, say.',
      ],
      live: true,
    };
  }
  return {
    reason: `TLS with ${host} of cluster '${cluster}' failed: ${plainTlsReason(failure)}.`,
    evidence: [...base, ...more],
    advice: tlsAdvice(failure),
    live: true,
  };
}

function plainTlsReason(failure: string): string {
  const error = /OPENSSL_internal:(.*?):TLS_error_end/.exec(failure)?.[1] ?? failure;
  const verify = /verify cert failed: (.*)/.exec(error)?.[1];
  return verify === undefined ? error : `its certificate was refused, ${verify}`;
}

function tlsAdvice(failure: string): string[] {
  if (/expired/.test(failure))
    return [
      'The certificate of the host, or of its issuer, has expired: renew it. See /certs for those of this proxy.',
    ];
  if (/not yet valid/.test(failure)) return ['The certificate is not valid yet: are the clocks right?'];
  if (/local issuer|self signed/.test(failure))
    return [
      'The issuer of the certificate is not among the roots of the validation context (trusted_ca): add it, or give the host a certificate of theirs.',
    ];
  if (/revo/.test(failure))
    return ['The certificate has been revoked, or the revocation list is out of date.'];
  if (/WRONG_VERSION_NUMBER/.test(failure))
    return [
      'The host does not speak TLS on this port: remove the transport socket of the cluster, or use the TLS port.',
    ];
  if (/CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE/.test(failure))
    return [
      'The host refused this proxy: it wants a client certificate, or one of another issuer. Look at tls_certificates of the cluster.',
    ];
  return ['Compare TLS versions, ciphers and certificates of both sides.'];
}

/** The UpstreamTlsContext of the cluster's own transport socket. */
function upstreamTls(message: Cluster | undefined): UpstreamTlsContext | undefined {
  const sockets = [
    message?.transport_socket,
    ...(message?.transport_socket_matches ?? []).map((each) => each.transport_socket),
  ];
  for (const socket of sockets) {
    const typed = socket?.typed_config;
    if (typed !== undefined && typeNameOf(typed.type_url).endsWith('.UpstreamTlsContext'))
      return decodeAny(typed).message as unknown as UpstreamTlsContext;
  }
  return undefined;
}

function expectedNames(context: UpstreamTlsContext | undefined): string | undefined {
  const common: CommonTlsContext | undefined = context?.common_tls_context;
  const validation =
    common?.validation_context ?? common?.combined_validation_context?.default_validation_context;
  const names = [
    ...(validation?.match_typed_subject_alt_names ?? []).map(sanText),
    ...(validation?.match_subject_alt_names ?? []).map(
      (matcher) => Object.values(matcher).find((each) => typeof each === 'string') ?? '',
    ),
  ];
  return names.length === 0 ? undefined : names.join(', ');
}

function sanText({ matcher }: SubjectAltNameMatcher): string {
  return (
    matcher?.exact ??
    matcher?.prefix ??
    matcher?.suffix ??
    matcher?.contains ??
    matcher?.safe_regex?.regex ??
    ''
  );
}

export function connectionTermination(evidence: FlagEvidence): Cause {
  const { request } = evidence;
  const { host, cluster } = request;
  const connected = request.phases.some(({ name }) => name === 'connect');
  const waited = evidence.phaseMs('wait_for_response');
  const started = request.phases.some(({ name }) => name === 'receive_response');
  const where = started ? 'in the middle of the response' : 'before it had answered';
  const age = connected ? 'a new connection' : 'a connection that had been used before';
  const idle = evidence.cluster?.features.idleTimeoutMs;
  return {
    reason: `Host ${host} of cluster '${cluster}' closed ${age}, ${where}${waited === undefined ? '' : `, ${waited} ms after the request was sent`}.`,
    evidence: [
      { name: 'host', value: host, link: { kind: 'cluster', name: cluster } },
      { name: 'connection', value: `${request.upstream_connection_id} (${age})` },
      ...(idle === undefined
        ? []
        : [{ name: 'idle_timeout of the cluster', value: idle === 0 ? 'none' : `${idle} ms` }]),
      {
        name: 'connections that the cluster lost with requests on them',
        value: `${evidence.clusterStat('upstream_cx_destroy_remote_with_active_rq')}`,
      },
    ],
    advice: connected
      ? [
          'The host accepts connections and closes them: did it crash, or does it expect TLS or another protocol?',
        ]
      : [
          'The host closes idle connections sooner than this proxy does: set idle_timeout of the cluster (common_http_protocol_options) below the keep-alive of the host.',
          "Retry what is safe to repeat: retry_on 'reset' or 'connect-failure'.",
        ],
    live: true,
  };
}

export function upstreamReset(evidence: FlagEvidence): Cause {
  const { host, cluster, upstream_protocol: protocol, details } = evidence.request;
  return {
    reason: `Host ${host} of cluster '${cluster}' reset the stream${protocol === '' ? '' : ` (${protocol})`}: ${details}.`,
    evidence: [
      { name: 'host', value: host, link: { kind: 'cluster', name: cluster } },
      { name: 'resets that the cluster got', value: `${evidence.clusterStat('upstream_rq_rx_reset')}` },
    ],
    advice: [
      'The application, or a proxy before it, gave the request up: its log tells why.',
      "A refused stream may be retried safely: retry_on 'refused-stream' or 'reset'.",
    ],
    live: true,
  };
}

export function upstreamProtocolError(evidence: FlagEvidence): Cause {
  const { host, cluster, upstream_protocol: protocol, details } = evidence.request;
  const features = evidence.cluster?.features.upstreamProtocol;
  return {
    reason: `What host ${host} of cluster '${cluster}' sent is no proper ${protocol || features || 'HTTP'}: ${details}.`,
    evidence: [
      { name: 'host', value: host, link: { kind: 'cluster', name: cluster } },
      { name: 'protocol configured for the cluster', value: features ?? 'the cluster is gone' },
      {
        name: 'protocol errors of the cluster',
        value: `${evidence.clusterStat('upstream_cx_protocol_error')}`,
      },
    ],
    advice: [
      'Does the host speak the HTTP version that the cluster is set to (http2_protocol_options, explicit_http_config)? gRPC needs HTTP/2.',
    ],
    live: true,
  };
}

export function localReset(evidence: FlagEvidence): Cause {
  const { host, cluster, details } = evidence.request;
  return {
    reason: `The proxy gave up the stream to ${host} of cluster '${cluster}': ${details}.`,
    evidence: [{ name: 'host', value: host, link: { kind: 'cluster', name: cluster } }],
    advice: ['The other flags and the details of the request say what made the proxy do that.'],
    live: false,
  };
}
