// What a virtual host's match tree may look at: request headers and filter state, as in Envoy (RouteActionValidationVisitor in
// config_impl.cc).

import type { HttpRequestHeaderMatchInput } from '../../../xds-protos/generated/envoy/type/matcher/v3.ts';
import type { TypedExtensionConfig } from '../../../xds-protos/generated/xds/core/v3.ts';
import { decodeAny } from '../../../xds-protos/load.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { headerName } from '../matcher/header_matcher.ts';
import { latin1Of } from '../matcher/latin1.ts';
import type { MatchInput } from '../matcher/match_predicate.ts';

const FILTER_STATE_INPUT = 'envoy.extensions.matching.common_inputs.network.v3.FilterStateInput';
const HEADER_INPUT = 'envoy.type.matcher.v3.HttpRequestHeaderMatchInput';

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

export function compileHttpMatchInput(
  config: TypedExtensionConfig,
  path: string,
): MatchInput<HttpMatchingData> {
  if (config.typed_config === undefined) throw new ConfigError(path, 'typed_config is required');
  const { typeName, message } = decodeAny(config.typed_config, path);
  if (typeName === FILTER_STATE_INPUT) return new FilterStateInput(String(message.key));
  if (typeName !== HEADER_INPUT) {
    throw new ConfigError(
      path,
      `requirement violation while creating route match tree: Route table can only match on request headers, saw type.googleapis.com/${typeName}`,
    );
  }
  return new HeaderInput(headerName((message as unknown as HttpRequestHeaderMatchInput).header_name));
}
