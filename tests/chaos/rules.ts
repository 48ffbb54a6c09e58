// What Envoy's rules say of a request whose outcome, access log entry and circumstances are known: may it fail, and if so, how does
// it have to be logged? Sources: docs/root/configuration/http/http_filters/router_filter.rst, docs/root/intro/arch_overview/http/
// http_routing.rst, docs/root/configuration/observability/access_log/usage.rst (response flags) of Envoy.

import type { Condition } from './conditions.ts';
import { SHORT_TIMEOUT_MS, TIMEOUT_MS } from './configuration.ts';
import type { ChaoticHost } from './hosts.ts';
import type { Asked, Kind } from './requests.ts';
import type { World } from './world.ts';

/** An entry of the access log. */
export interface Logged {
  readonly id: string;
  readonly client: string;
  readonly code: number;
  readonly flags: string | null;
  readonly details: string | null;
  readonly attempts: number;
  readonly host: string | null;
  readonly route: string | null;
  /** ms */
  readonly duration: number;
}

/** ms by which what the test does and what the proxy sees of it may be apart. */
const SLACK_MS = 300;
/** ms by which a timeout may be early: clocks count whole ms. */
const EARLY_MS = 2;

/** How each failure is logged: its code, and its details. 0: of the upstream's answer, which had begun. */
const FAILURES: Readonly<Record<string, { readonly codes: readonly number[]; readonly details: RegExp }>> = {
  UF: {
    codes: [503],
    details: /^upstream_reset_before_response_started\{(remote_|local_)?connection_(failure|timeout)/,
  },
  UC: {
    codes: [503, 200],
    details: /^upstream_reset_(before|after)_response_started\{connection_termination/,
  },
  UR: { codes: [503, 200], details: /^upstream_reset_(before|after)_response_started\{remote_/ },
  // An answer of HTTP/1 that ends before its content-length says so.
  UPE: { codes: [502, 200], details: /^upstream_reset_after_response_started\{protocol_error/ },
  UT: { codes: [504], details: /^(response_timeout|upstream_per_try_timeout)$/ },
  UH: { codes: [503], details: /^no_healthy_upstream$/ },
  NR: { codes: [404], details: /^route_not_found$/ },
  NC: { codes: [503], details: /^cluster_not_found$/ },
};

/** Which conditions of a host explain a failure of a request that it was asked. */
const CAUSES: Readonly<Record<string, readonly Condition[]>> = {
  UF: ['dead'],
  // What a host that dies or breaks off had not answered; a connection may also end between two requests.
  UC: ['dead', 'resetting', 'cutting'],
  UR: ['dead', 'resetting', 'cutting'],
  UPE: ['dead', 'cutting'],
  UT: ['slow', 'hanging'],
  '': ['failing'],
};

/** Retried until a host is reached that is well, of which there is one at all times. */
const RETRIED: ReadonlySet<Kind> = new Set<Kind>(['retried', 'hedged', 'grpc']);

/** What is wrong with a request; undefined when everything is as it must be. `logged` is undefined when there was no entry. */
export function judge(asked: Asked, logged: Logged | undefined, world: World): string | undefined {
  const from = asked.from - SLACK_MS;
  const to = asked.to + SLACK_MS;
  // Its worker died: the connection ends, and nobody is left who could log it.
  if (world.was('crash', from, to)) return undefined;
  if (asked.error === 'out of patience') return 'it was never answered';
  if (asked.kind === 'tcp') return judgeTcp(asked, logged, world, from, to);
  if (logged === undefined) return asked.leaves ? undefined : 'there is no access log entry';
  const twice = processedTwice(asked, world);
  if (twice !== undefined) return twice;
  const flags = (logged.flags ?? '').split(',').filter((flag) => flag !== '' && flag !== '-');
  if (asked.leaves && flags.some((flag) => flag === 'DC' || flag === 'DR')) return undefined;
  if (!asked.leaves && asked.status !== 0 && asked.status !== logged.code && asked.kind !== 'grpc')
    return `the client got ${asked.status}, and ${logged.code} was logged`;
  const failed = logged.code >= 400 || !asked.whole || (asked.kind === 'grpc' && asked.grpcStatus !== 0);
  if (!failed) return flags.length === 0 ? undefined : `it succeeded, with the flags ${logged.flags}`;
  if (asked.leaves && flags.length === 0) return undefined;
  return judgeFailure(asked, logged, flags, world, from, to);
}

function judgeFailure(
  asked: Asked,
  logged: Logged,
  flags: readonly string[],
  world: World,
  from: number,
  to: number,
): string | undefined {
  // URX says that more attempts were not allowed, in addition to why the last one failed.
  const [flag = '', ...more] = flags.filter((one) => one !== 'URX');
  if (more.length > 0) return `one failure, and the flags ${logged.flags}`;
  if (flag === '') {
    if (logged.details !== 'via_upstream') return `a failure without a flag: ${logged.details}`;
  } else {
    const expected = FAILURES[flag];
    if (expected === undefined) return `the flag ${flag} has no reason here`;
    if (!expected.details.test(logged.details ?? '')) return `${flag} with the details ${logged.details}`;
    // A gRPC client is answered 200.
    if (asked.kind !== 'grpc' && !expected.codes.includes(logged.code)) return `${flag} with ${logged.code}`;
  }
  return mayFail(asked, logged, flag, world, from, to);
}

/** May it fail at all, in this way, at this time? */
function mayFail(
  asked: Asked,
  logged: Logged,
  flag: string,
  world: World,
  from: number,
  to: number,
): string | undefined {
  const { kind } = asked;
  if (flag === 'NR') {
    if (kind !== 'flicker' || !world.was('no route', from, to)) return 'there was a route';
    return undefined;
  }
  if (flag === 'NC') {
    if (kind !== 'vanishing' || !world.was('no cluster', from, to)) return 'there was a cluster';
    return undefined;
  }
  // The test's own hosts were late.
  if (flag === 'UT' && world.stoodStillIn(from, to)) return undefined;
  const begun = logged.details?.startsWith('upstream_reset_after_response_started') ?? false;
  // Once an answer has begun there is no other attempt.
  if (RETRIED.has(kind) && !begun) return 'a host was well, and retries were allowed';
  // No connection, no processing: that is safe to retry.
  if (kind === 'safe' && flag === 'UF') return 'a connection failure was not retried';
  if (flag === 'UT') {
    const least = kind === 'short' ? SHORT_TIMEOUT_MS : TIMEOUT_MS;
    if (logged.duration < least - EARLY_MS) return `it timed out after ${logged.duration} ms of ${least}`;
  }
  const host = logged.host === null ? undefined : world.hostAt(logged.host);
  if (host === undefined) return `no host of ours: ${logged.host}`;
  const conditions = host.history.during(from, to);
  const causes = CAUSES[flag];
  if (causes === undefined || !causes.some((cause) => conditions.has(cause)))
    return `${logged.host} was ${[...conditions].join(', ')}`;
  return undefined;
}

/** Conditions that make it safe to ask again are those in which no host has begun with it. */
function processedTwice({ id, kind }: Asked, world: World): string | undefined {
  if (kind === 'retried' || kind === 'hedged' || kind === 'grpc') return undefined;
  let arrivals = 0;
  for (const host of world.pools.http) arrivals += host.arrivals.get(id) ?? 0;
  return arrivals > 1 ? `hosts were asked ${arrivals} times` : undefined;
}

function judgeTcp(
  asked: Asked,
  logged: Logged | undefined,
  world: World,
  from: number,
  to: number,
): string | undefined {
  if (logged === undefined) {
    // Reset before the client knew that it was connected, and by which port the entry can be found.
    const breaks = (host: ChaoticHost): boolean => breaksOff(host.history.during(from, to));
    if (asked.error === 'ECONNRESET' && !asked.id.includes(':') && world.pools.tcp.some(breaks))
      return undefined;
    return 'there is no access log entry';
  }
  // Attempts go on until a host takes the connection; the flag of those that failed stays. Then it is as good as the host, and
  // UR says that the host has reset it.
  const flags = (logged.flags ?? '-').split(',').filter((flag) => !(flag === 'UF' && logged.attempts > 1));
  const flag = flags[0] ?? '-';
  if (flags.length > 1 || (flag !== '-' && flag !== 'UR'))
    return `a host was well, and the flags are ${logged.flags}`;
  if (asked.whole) return flag === '-' ? undefined : `it succeeded, with ${flag}`;
  const conditions = world.hostAt(logged.host ?? '')?.history.during(from, to);
  return breaksOff(conditions ?? new Set())
    ? undefined
    : `${logged.host} was ${[...(conditions ?? [])].join(', ')}`;
}

function breaksOff(conditions: ReadonlySet<Condition>): boolean {
  return conditions.has('cutting') || conditions.has('resetting') || conditions.has('dead');
}
