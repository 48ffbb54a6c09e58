// DF, LH: what this proxy found out by itself and answered with: a name that does not resolve, a health that is not good.

import type { ClusterConfig } from '../../../../xds-protos/generated/envoy/extensions/clusters/dynamic_forward_proxy/v3.ts';
import { decodeAny } from '../../../../xds-protos/load.ts';
import { defaultDfpPort } from '../../../common/dynamic_forward_proxy/default_port.ts';
import { hostKey } from '../../../common/dynamic_forward_proxy/host_key.ts';
import type { FlagEvidence } from './flag_evidence.ts';
import type { Cause, Evidence } from './flag_explanation.ts';

/** Why a lookup failed, in the words of a DNS cache. */
const FAILURES: readonly (readonly [RegExp, string, string])[] = [
  [/not_found|no_?data|enotfound/i, 'there is no such name', 'Is the name spelled correctly, and does it exist for the resolver that is asked?'],
  [/timeout/i, 'no answer came in time', 'Can the resolver be reached from here? Raise dns_query_timeout if it is slow.'],
  [/refused/i, 'the DNS server refused the question', 'Is the right server configured in typed_dns_resolver_config, and may this proxy ask it?'],
  [/servfail|general_failure/i, 'the DNS server failed', "Look at the DNS server's log, and at the zone of the name."],
]; // biome-ignore format: a table

/** DF: the name that a dynamic forward proxy was to look up. */
export function resolutionFailed(evidence: FlagEvidence): Cause {
  const { request, cluster, clusterMessage } = evidence;
  const typed = clusterMessage?.cluster_type?.typed_config;
  const config = typed && (decodeAny(typed).message as unknown as ClusterConfig);
  const cache = config?.dns_cache_config?.name ?? '';
  const key = hostKey(request.authority, cluster === undefined ? 80 : defaultDfpPort(cluster.config));
  const now = evidence.services.configuration.dnsHost(cache, key);
  const then = /^dns_resolution_failure\{(.*)\}$/.exec(request.details)?.[1] ?? '';
  const [, why = then || 'the lookup failed', advice] = FAILURES.find(([words]) => words.test(then)) ?? [];
  const today =
    now === undefined
      ? 'it is not in the cache any more: the next request looks it up again'
      : now.ip === undefined
        ? `still not: ${now.failure || 'it is being looked up'}`
        : `now it does, to ${[now.ip, ...now.otherIps].join(', ')}`;
  return {
    reason: `'${key}' could not be resolved: ${why}. ${today[0]!.toUpperCase()}${today.slice(1)}.`,
    evidence: [
      {
        name: 'DNS cache',
        value: cache || 'of a cluster that is gone',
        link: { kind: 'cluster', name: request.cluster },
      },
      { name: 'the lookup then', value: then || 'no details were given' },
      { name: 'the entry now', value: today },
      ...lookups(evidence, cache),
    ],
    advice: [advice ?? 'Ask the same name with dig or getent on this machine.'],
    live: true,
  };
}

function lookups({ services }: FlagEvidence, cache: string): Evidence[] {
  const [all, failed] = ['dns_query_attempt', 'dns_query_failure'].map((name) =>
    services.stat(`dns_cache.${cache}.${name}`),
  );
  return all === undefined
    ? []
    : [{ name: 'lookups of the cache so far', value: `${all}, of them ${failed ?? 0} failed` }];
}

/** By the details of the health_check filter. */
const HEALTH: Readonly<Record<string, readonly [reason: string, advice: string]>> = {
  health_check_failed: [
    'the proxy was told to fail its health checks (POST /healthcheck/fail)',
    'POST /healthcheck/ok takes it back, unless it drains before it ends.',
  ],
  health_check_failed_no_cluster_found: [
    'a cluster of cluster_min_healthy_percentages is not there',
    'Correct the name in the health_check filter, or configure the cluster.',
  ],
  health_check_failed_cluster_empty: [
    'a cluster of cluster_min_healthy_percentages has no hosts',
    'Does the control plane send its endpoints?',
  ],
  health_check_failed_cluster_unhealthy: [
    'a cluster of cluster_min_healthy_percentages has too few healthy hosts',
    'Look at the hosts of the cluster: their health flags tell what is wrong.',
  ],
};

/** LH: the health_check filter answered for this proxy. */
export function localHealth({ request, explanation }: FlagEvidence): Cause {
  const [why, advice] = HEALTH[request.details] ?? [
    request.details || 'no details were given',
    'Look at the health_check filter of the listener.',
  ];
  const filters = explanation.steps.find((each) => each.step === 'http_filters')?.items ?? [];
  return {
    reason: `The health_check filter answered with ${request.status}: ${why}.`,
    evidence: filters
      .filter(({ name }) => name.includes('health_check'))
      .map(({ name, note }) => ({ name: `HTTP filter ${name}`, value: note })),
    advice: [advice],
    live: false,
  };
}
