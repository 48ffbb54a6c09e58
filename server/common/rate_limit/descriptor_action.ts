// RateLimit.Action of envoy.config.route.v3, compiled: what makes one entry of a descriptor.
// Envoy: source/common/router/router_ratelimit.cc.

import type {
  RateLimit_Action,
  RateLimit_Action_MaskedRemoteAddress,
  RateLimit_Action_MetaData,
  RateLimit_Action_RemoteAddressMatch,
} from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RateLimitDescriptorEntry, RateLimitRequest } from '../../api/rate_limit.ts';
import { compileHeaderMatchers, headerName, matchHeaders } from '../matcher/header_matcher.ts';
import { latin1Of } from '../matcher/latin1.ts';
import { compileQueryParameterMatcher, decodedQueryParameter } from '../matcher/query_parameter_matcher.ts';
import { CidrRange, parseIp } from '../network/address.ts';
import { compileHttpMatchInput } from '../router/http_match_inputs.ts';

/** This action has nothing to say, and the others still count (`skip_if_absent`). */
export const SKIPPED = 'skipped';

/** Undefined: there is no descriptor for this request. */
export type DescriptorAction = (
  request: RateLimitRequest,
) => RateLimitDescriptorEntry | typeof SKIPPED | undefined;

/** Keys are Envoy's. `nodeCluster` is that of this proxy. Throws ConfigError. */
export function compileDescriptorAction(
  action: RateLimit_Action,
  nodeCluster: string,
  path: string,
): DescriptorAction {
  if (action.source_cluster !== undefined) {
    const entry = { key: 'source_cluster', value: latin1Of(nodeCluster) };
    return () => entry;
  }
  if (action.destination_cluster !== undefined) return destinationCluster;
  if (action.remote_address !== undefined) {
    return ({ info }) => ipEntry('remote_address', info.remoteAddress.ip);
  }
  if (action.masked_remote_address !== undefined) return compileMasked(action.masked_remote_address);
  if (action.generic_key !== undefined) {
    // As in Envoy, unless its runtime says otherwise: a text that is not formatted, so that default_value has nothing to do.
    const { descriptor_key, descriptor_value } = action.generic_key;
    const entry = { key: latin1Of(descriptor_key || 'generic_key'), value: latin1Of(descriptor_value) };
    return () => entry;
  }
  if (action.request_headers !== undefined) {
    const { header_name, descriptor_key, skip_if_absent } = action.request_headers;
    const name = headerName(header_name);
    return optional(latin1Of(descriptor_key), skip_if_absent, ({ headers }) => headers.get(name));
  }
  if (action.query_parameters !== undefined) {
    const { query_parameter_name, descriptor_key, skip_if_absent } = action.query_parameters;
    const name = latin1Of(query_parameter_name);
    return optional(latin1Of(descriptor_key), skip_if_absent, ({ headers }) =>
      decodedQueryParameter(headers.path, name),
    );
  }
  return compileConditional(action, path);
}

/** Actions that have an entry only for requests that match. */
function compileConditional(action: RateLimit_Action, path: string): DescriptorAction {
  if (action.header_value_match !== undefined) {
    const { headers, expect_match, descriptor_key, descriptor_value } = action.header_value_match;
    const matchers = compileHeaderMatchers(headers, at(path, 'header_value_match.headers'));
    const expected = expect_match?.value ?? true;
    const entry = { key: latin1Of(descriptor_key || 'header_match'), value: latin1Of(descriptor_value) };
    return (request) => (matchHeaders(matchers, request.headers) === expected ? entry : undefined);
  }
  if (action.query_parameter_value_match !== undefined) {
    const match = action.query_parameter_value_match;
    const matchers = match.query_parameters.map((one, i) =>
      compileQueryParameterMatcher(one, at(at(path, 'query_parameter_value_match.query_parameters'), i)),
    );
    const expected = match.expect_match?.value ?? true;
    const entry = {
      key: latin1Of(match.descriptor_key || 'query_match'),
      value: latin1Of(match.descriptor_value),
    };
    return ({ headers }) =>
      matchers.every((matcher) => matcher.matchValue(decodedQueryParameter(headers.path, matcher.name))) ===
      expected
        ? entry
        : undefined;
  }
  if (action.metadata !== undefined) return compileMetadata(action.metadata);
  if (action.remote_address_match !== undefined) return compileRemoteMatch(action.remote_address_match, path);
  if (action.extension !== undefined) {
    const where = at(path, 'extension');
    const input = compileHttpMatchInput(action.extension, where);
    const key = latin1Of(action.extension.name);
    return ({ headers, info }) => {
      const value = input.get({ headers, info });
      return typeof value !== 'string' || value === '' ? undefined : { key, value };
    };
  }
  if (action.dynamic_metadata !== undefined) {
    throw new ConfigError(at(path, 'dynamic_metadata'), 'this field is deprecated: use metadata');
  }
  throw new ConfigError(path, 'Unsupported rate limit action');
}

function destinationCluster({
  headers,
  route,
  streamId,
}: RateLimitRequest): RateLimitDescriptorEntry | undefined {
  const entry = route?.routeEntry;
  return entry && { key: 'destination_cluster', value: entry.clusterName(headers, streamId) };
}

function ipEntry(key: string, ip: string): RateLimitDescriptorEntry | undefined {
  return ip === '' ? undefined : { key, value: ip };
}

function optional(
  key: string,
  skipIfAbsent: boolean,
  value: (request: RateLimitRequest) => string | undefined,
): DescriptorAction {
  const absent = skipIfAbsent ? SKIPPED : undefined;
  return (request) => {
    const text = value(request);
    return text === undefined ? absent : { key, value: text };
  };
}

function compileMasked(config: RateLimit_Action_MaskedRemoteAddress): DescriptorAction {
  // Defaults: RateLimit.Action.MaskedRemoteAddress.
  const v4 = config.v4_prefix_mask_len?.value ?? 32;
  const v6 = config.v6_prefix_mask_len?.value ?? 128;
  return ({ info }) => {
    const ip = parseIp(info.remoteAddress.ip);
    if (ip === undefined) return undefined;
    return { key: 'masked_remote_address', value: new CidrRange(ip, ip.version === 4 ? v4 : v6).text };
  };
}

function compileMetadata(config: RateLimit_Action_MetaData): DescriptorAction {
  const key = latin1Of(config.descriptor_key);
  const defaultValue = latin1Of(config.default_value);
  const namespace = config.metadata_key?.key ?? '';
  const segments = (config.metadata_key?.path ?? []).map((segment) => segment.key ?? '');
  const ofRoute = config.source === 'ROUTE_ENTRY';
  return optional(key, config.skip_if_absent, ({ info, route }) => {
    let value: unknown = ofRoute ? route?.metadata?.[namespace] : info.dynamicMetadata?.get(namespace);
    for (const segment of segments) value = (value as Record<string, unknown> | undefined)?.[segment];
    return typeof value === 'string' && value !== '' ? latin1Of(value) : defaultValue || undefined;
  });
}

function compileRemoteMatch(config: RateLimit_Action_RemoteAddressMatch, path: string): DescriptorAction {
  const entry = {
    key: latin1Of(config.descriptor_key || 'remote_address_match'),
    value: latin1Of(config.descriptor_value),
  };
  const where = at(path, 'remote_address_match.address_matcher.ranges');
  const ranges = (config.address_matcher?.ranges ?? []).map((range, i) =>
    CidrRange.compile(range, at(where, i)),
  );
  return ({ info }) =>
    ranges.some((range) => range.containsAddress(info.remoteAddress)) ? entry : undefined;
}
