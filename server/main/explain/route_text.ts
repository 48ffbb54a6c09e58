// Routes as readable rules: what a route asks for and what it does, out of its message.

import type {
  HeaderMatcher,
  QueryParameterMatcher,
  Route,
  RouteMatch,
} from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { durationMs } from '../../../xds-protos/well_known.ts';

interface TextMatcher {
  readonly exact?: string | undefined;
  readonly prefix?: string | undefined;
  readonly suffix?: string | undefined;
  readonly contains?: string | undefined;
  readonly safe_regex?: { readonly regex: string } | undefined;
}

export function matchText(match: RouteMatch | undefined): string {
  if (match === undefined) return '';
  const parts = [pathText(match)];
  if (match.case_sensitive?.value === false) parts[0] += ' (any case)';
  for (const header of match.headers) parts.push(headerText(header));
  for (const parameter of match.query_parameters) parts.push(parameterText(parameter));
  for (const { name, string_match: text, invert_match: not } of match.cookies)
    parts.push(`${not ? 'not ' : ''}cookie ${name} ${textOf(text)}`);
  if (match.grpc !== undefined) parts.push('gRPC');
  if (match.tls_context !== undefined) parts.push('TLS context');
  if (match.dynamic_metadata.length > 0) parts.push('dynamic metadata');
  if (match.filter_state.length > 0) parts.push('filter state');
  const fraction = match.runtime_fraction;
  if (fraction !== undefined) {
    const { numerator = 0, denominator = 'HUNDRED' } = fraction.default_value ?? {};
    const of = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 }[String(denominator)] ?? 100;
    parts.push(`${(100 * numerator) / of} % of requests`);
  }
  return parts.join(', ');
}

function pathText(match: RouteMatch): string {
  if (match.prefix !== undefined) return match.prefix === '/' ? 'any path' : `path ${match.prefix}*`;
  if (match.path !== undefined) return `path ${match.path}`;
  if (match.path_separated_prefix !== undefined) return `path ${match.path_separated_prefix} and below`;
  if (match.safe_regex !== undefined) return `path ~ ${match.safe_regex.regex}`;
  return match.connect_matcher === undefined ? 'path template' : 'CONNECT';
}

function headerText(header: HeaderMatcher): string {
  const { name, string_match: text, range_match: range, present_match: present } = header;
  const not = header.invert_match ? 'not ' : '';
  const deprecated: TextMatcher = {
    exact: header.exact_match,
    prefix: header.prefix_match,
    suffix: header.suffix_match,
    contains: header.contains_match,
    safe_regex: header.safe_regex_match,
  };
  if (range !== undefined) return `${not}${name} in [${range.start}, ${range.end})`;
  if (text !== undefined) return `${not}${name} ${textOf(text)}`;
  if (Object.values(deprecated).some((each) => each !== undefined))
    return `${not}${name} ${textOf(deprecated)}`;
  return `${not}${name} is ${present === false ? 'absent' : 'there'}`;
}

function parameterText({ name, string_match: text, present_match: present }: QueryParameterMatcher): string {
  if (text !== undefined) return `?${name} ${textOf(text)}`;
  return `?${name} is ${present === false ? 'absent' : 'there'}`;
}

function textOf(matcher: TextMatcher | undefined): string {
  if (matcher?.exact !== undefined) return `= ${matcher.exact}`;
  if (matcher?.prefix !== undefined) return `= ${matcher.prefix}*`;
  if (matcher?.suffix !== undefined) return `= *${matcher.suffix}`;
  if (matcher?.contains !== undefined) return `= *${matcher.contains}*`;
  return `~ ${matcher?.safe_regex?.regex ?? ''}`;
}

export interface RouteTarget {
  readonly name: string;
  readonly weight: number;
}

/** Clusters that a route leads to by name. */
export function targetsOf({ route }: Route): RouteTarget[] {
  if (route?.cluster) return [{ name: route.cluster, weight: 100 }];
  return (route?.weighted_clusters?.clusters ?? []).map(({ name, cluster_header: header, weight }) => ({
    name: name || `(header ${header})`,
    weight: weight?.value ?? 0,
  }));
}

export function actionText(route: Route): string {
  const { redirect, direct_response: direct, route: action } = route;
  if (direct !== undefined) return `answer ${direct.status}`;
  if (redirect !== undefined) {
    const host = redirect.host_redirect ?? '';
    const scheme = redirect.scheme_redirect ?? (redirect.https_redirect ? 'https' : '');
    const path =
      redirect.path_redirect ?? (redirect.prefix_rewrite === undefined ? '' : `${redirect.prefix_rewrite}*`);
    return `redirect to ${[scheme && `${scheme}://`, host, path].join('') || 'the same'}`;
  }
  if (action === undefined) return 'nothing';
  const parts: string[] = [];
  if (action.cluster_header) parts.push(`to the cluster that header ${action.cluster_header} names`);
  else {
    const targets = targetsOf(route);
    const text = targets.map(({ name, weight }) => (targets.length === 1 ? name : `${name} (${weight})`));
    parts.push(`to ${text.join(', ')}`);
  }
  if (action.prefix_rewrite) parts.push(`path becomes ${action.prefix_rewrite}*`);
  if (action.regex_rewrite !== undefined) parts.push('path rewritten by regex');
  if (action.host_rewrite_literal) parts.push(`host becomes ${action.host_rewrite_literal}`);
  const timeout = durationMs(action.timeout);
  if (timeout !== undefined) parts.push(timeout === 0 ? 'no timeout' : `timeout ${timeout} ms`);
  const retries = action.retry_policy;
  if (retries !== undefined) parts.push(`${retries.num_retries?.value ?? 1} retries on ${retries.retry_on}`);
  if (action.request_mirror_policies.length > 0) parts.push('mirrored');
  return parts.join(', ');
}
