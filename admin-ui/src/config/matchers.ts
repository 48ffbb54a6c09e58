// Conditions of routes and filter chains as people say them.

import type { Json, JsonObject } from '../api/types.ts';
import { list, object, text, texts } from './json.ts';

/** A type.matcher.v3.StringMatcher. */
export function stringMatch(value: Json | undefined): string {
  const matcher = object(value);
  const quiet = matcher['ignore_case'] === true ? ', in any case' : '';
  for (const [field, word] of STRING_WORDS) {
    if (matcher[field] !== undefined) return `${word} ${text(matcher[field])}${quiet}`;
  }
  if (matcher['safe_regex'] !== undefined) return `~ ${text(object(matcher['safe_regex'])['regex'])}`;
  return 'a custom match';
}

const STRING_WORDS = [
  ['exact', '='],
  ['prefix', 'begins with'],
  ['suffix', 'ends with'],
  ['contains', 'contains'],
] as const;

/** A config.route.v3.RouteMatch: the path first, then what else must hold. */
export function routeMatch(match: JsonObject): string {
  const conditions = [
    pathOf(match),
    ...list(match['headers']).map((header) => condition('header', header)),
    ...list(match['query_parameters']).map((parameter) => condition('query', parameter)),
    ...list(match['cookies']).map((cookie) => condition('cookie', cookie)),
    ...(match['grpc'] === undefined ? [] : ['gRPC only']),
    ...(match['runtime_fraction'] === undefined ? [] : ['a fraction of requests']),
    ...(match['tls_context'] === undefined ? [] : ['by client certificate']),
    ...(match['dynamic_metadata'] === undefined ? [] : ['by metadata']),
    ...(match['filter_state'] === undefined ? [] : ['by filter state']),
  ];
  return conditions.join(', ');
}

function pathOf(match: JsonObject): string {
  const { prefix, path, safe_regex, path_separated_prefix, connect_matcher, path_match_policy } = match;
  if (prefix !== undefined) return prefix === '/' ? 'every path' : `${text(prefix)}*`;
  if (path !== undefined) return `= ${text(path)}`;
  if (path_separated_prefix !== undefined) return `${text(path_separated_prefix)} or below`;
  if (safe_regex !== undefined) return `~ ${text(object(safe_regex)['regex'])}`;
  if (connect_matcher !== undefined) return 'CONNECT';
  return path_match_policy === undefined ? 'every path' : 'a path template';
}

function condition(kind: string, matcher: JsonObject): string {
  const not = matcher['invert_match'] === true ? 'not ' : '';
  return `${not}${kind} ${text(matcher['name'])} ${howOf(matcher)}`;
}

function howOf(matcher: JsonObject): string {
  const { string_match, present_match, range_match, exact_match, safe_regex_match, prefix_match } = matcher;
  if (string_match !== undefined) return stringMatch(string_match);
  if (exact_match !== undefined) return `= ${text(exact_match)}`;
  if (prefix_match !== undefined) return `begins with ${text(prefix_match)}`;
  if (safe_regex_match !== undefined) return `~ ${text(object(safe_regex_match)['regex'])}`;
  if (range_match !== undefined) {
    const { start, end } = object(range_match);
    return `from ${text(start) || '0'} to below ${text(end)}`;
  }
  return present_match === false ? 'absent' : 'present';
}

/** A config.listener.v3.FilterChainMatch, a condition each; none: it takes every connection. */
export function chainMatch(match: JsonObject): string[] {
  const ranges = (field: string): string =>
    list(match[field])
      .map((range) => `${text(range['address_prefix'])}/${text(range['prefix_len']) || '0'}`)
      .join(', ');
  const conditions: readonly (readonly [string, string])[] = [
    ['port', text(match['destination_port'])],
    ['to', ranges('prefix_ranges')],
    ['SNI', texts(match['server_names']).join(', ')],
    ['transport', text(match['transport_protocol'])],
    ['ALPN', texts(match['application_protocols']).join(', ')],
    ['from', ranges('source_prefix_ranges')],
    ['source', text(match['source_type']).replace('ANY', '').toLowerCase()],
    ['source port', list(match['source_ports']).length > 0 ? texts(match['source_ports']).join(', ') : ''],
    ['from direct', ranges('direct_source_prefix_ranges')],
  ];
  return conditions.filter(([, value]) => value !== '').map(([name, value]) => `${name} ${value}`);
}
