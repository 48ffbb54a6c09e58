// What match trees of routes may look at. A virtual host's: request headers, filter state and the environment, as in Envoy
// (RouteActionValidationVisitor in config_impl.cc). Those that choose a cluster: whatever is known when a request is routed.
// Envoy: source/common/http/matching/inputs.h, source/extensions/matching/http.

import type { DynamicMetadataInput } from '../../../xds-protos/generated/envoy/extensions/matching/common_inputs/network/v3.ts';
import type {
  HttpRequestHeaderMatchInput,
  HttpRequestQueryParamMatchInput,
} from '../../../xds-protos/generated/envoy/type/matcher/v3.ts';
import type { TypedExtensionConfig } from '../../../xds-protos/generated/xds/core/v3.ts';
import type { Matcher_OnMatch } from '../../../xds-protos/generated/xds/type/matcher/v3.ts';
import { type DecodedAny, decodeAny, typeNameOf } from '../../../xds-protos/load.ts';
import type { LogContext } from '../../api/access_log.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { connectionInput, NETWORK_INPUTS } from '../matcher/connection_inputs.ts';
import { headerName } from '../matcher/header_matcher.ts';
import { latin1Of } from '../matcher/latin1.ts';
import type { MatchInput } from '../matcher/match_predicate.ts';
import { decodedQueryParameter } from '../matcher/query_parameter_matcher.ts';

const FILTER_STATE_INPUT = `${NETWORK_INPUTS}FilterStateInput`;
const HTTP_INPUTS = 'envoy.type.matcher.v3.Http';
const HEADER_INPUT = `${HTTP_INPUTS}RequestHeaderMatchInput`;
/** Which of them a virtual host may ask. */
const ROUTE_INPUTS = [
  HEADER_INPUT,
  FILTER_STATE_INPUT,
  'envoy.extensions.matching.common_inputs.environment_variable.v3.Config',
];

export interface HttpMatchingData {
  readonly headers: RequestHeaderMap;
  readonly info: StreamInfo;
}

class HeaderInput implements MatchInput<HttpMatchingData> {
  readonly name: string;
  private readonly header: string;
  constructor(header: string) {
    this.name = `header ${header}`;
    this.header = header;
  }
  get(data: HttpMatchingData): string | undefined {
    return data.headers.getAll(this.header);
  }
}

class FilterStateInput implements MatchInput<HttpMatchingData> {
  readonly name: string;
  private readonly key: string;
  constructor(key: string) {
    this.name = `filter state ${key}`;
    this.key = key;
  }
  get({ info }: HttpMatchingData): string | undefined {
    const text = info.filterState.get(this.key)?.serializeAsString();
    return text === undefined ? undefined : latin1Of(text);
  }
}

/** Of a virtual host's tree. Throws ConfigError. */
export function compileRouteMatchInput(
  config: TypedExtensionConfig,
  path: string,
): MatchInput<HttpMatchingData> {
  const typeName = config.typed_config === undefined ? '' : typeNameOf(config.typed_config.type_url);
  const isRequestInput = typeName.startsWith(HTTP_INPUTS) && typeName !== HEADER_INPUT;
  const input = isRequestInput ? undefined : compileHttpMatchInput(config, path);
  if (input !== undefined && ROUTE_INPUTS.includes(typeName)) return input;
  const saw = `type.googleapis.com/${typeName}`;
  throw violation(`Route table can only match on request headers, saw ${saw}`, path);
}

/** In a virtual host's tree. Throws ConfigError. */
export function refuseKeepMatching({ keep_matching: keep }: Matcher_OnMatch, path: string): void {
  if (keep) throw violation('keep_matching is not supported in this context', at(path, 'keep_matching'));
}

function violation(reason: string, path: string): ConfigError {
  return new ConfigError(path, `requirement violation while creating route match tree: ${reason}`);
}

/** Throws ConfigError. */
export function compileHttpMatchInput(
  config: TypedExtensionConfig,
  path: string,
): MatchInput<HttpMatchingData> {
  if (config.typed_config === undefined) throw new ConfigError(path, 'typed_config is required');
  const decoded = decodeAny(config.typed_config, path);
  const { typeName } = decoded;
  const input = httpInput(decoded) ?? connectionInput(decoded, ({ info }: HttpMatchingData) => info);
  if (input !== undefined) return input;
  if (typeName.startsWith(HTTP_INPUTS))
    throw new ConfigError(path, `${typeName} asks for what is not there when a request is routed`);
  throw new ConfigError(
    path,
    `Didn't find a registered implementation for '${config.name}' with type URL: '${typeName}'`,
  );
}

function httpInput({ typeName, message }: DecodedAny): MatchInput<HttpMatchingData> | undefined {
  switch (typeName) {
    case HEADER_INPUT:
      return new HeaderInput(headerName((message as unknown as HttpRequestHeaderMatchInput).header_name));
    case FILTER_STATE_INPUT:
      return new FilterStateInput(String(message.key));
    case `${HTTP_INPUTS}RequestQueryParamMatchInput`: {
      const name = latin1Of((message as unknown as HttpRequestQueryParamMatchInput).query_param);
      return {
        name: `query parameter ${name}`,
        get: ({ headers }) => decodedQueryParameter(headers.path, name),
      };
    }
    case `${NETWORK_INPUTS}DynamicMetadataInput`: {
      const { filter, path } = message as unknown as DynamicMetadataInput;
      const keys = path.map(({ key }) => key ?? '');
      const metadata = ({ info }: HttpMatchingData): unknown =>
        valueAt(info.dynamicMetadata?.get(filter), keys);
      // It is not text, whatever it holds.
      return { name: `metadata ${filter} ${keys.join('.')}`, get: () => undefined, metadata };
    }
    case 'xds.type.matcher.v3.HttpAttributesCelMatchInput':
      return { name: 'attributes', get: () => undefined, attributes };
    default:
      return undefined;
  }
}

function valueAt(value: unknown, keys: readonly string[]): unknown {
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** What is known of a stream before it has a route. */
function attributes({ headers, info }: HttpMatchingData): LogContext {
  return {
    requestHeaders: headers,
    responseHeaders: undefined,
    responseTrailers: undefined,
    streamInfo: info,
    localReplyBody: '',
    accessLogType: 'NotSet',
  };
}
