// FilterStateMatcher of envoy.type.matcher.v3, compiled: an object of filter state as text against a pattern.
// Envoy: FilterStateMatcher in source/common/common/matchers.cc.

import type { FilterStateMatcher as FilterStateMatcherConfig } from '../../../xds-protos/generated/envoy/type/matcher/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ExplainNode } from '../../api/router.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { leaf } from './explain.ts';
import { latin1Of } from './latin1.ts';
import { compileStringMatcher, type StringMatcher } from './string_matcher.ts';

export class FilterStateMatcher {
  private readonly key: string;
  private readonly text: StringMatcher;

  constructor(key: string, text: StringMatcher) {
    this.key = key;
    this.text = text;
  }

  match(info: StreamInfo): boolean {
    const value = this.valueOf(info);
    return value !== undefined && this.text.match(value);
  }

  explain(info: StreamInfo): ExplainNode {
    const value = this.valueOf(info);
    const found = value === undefined ? 'there is no such object' : `it is '${value}'`;
    return leaf(`filter state ${this.key} ${this.text.describe()}`, this.match(info), found);
  }

  private valueOf({ filterState, connection }: StreamInfo): string | undefined {
    const text = (filterState ?? connection.filterState).get(this.key)?.serializeAsString();
    return text === undefined ? undefined : latin1Of(text);
  }
}

/** Throws ConfigError. */
export function compileFilterStateMatcher(
  config: FilterStateMatcherConfig,
  path: string,
): FilterStateMatcher {
  // No object of this build is an address.
  if (config.string_match === undefined)
    throw new ConfigError(at(path, 'address_match'), 'only string_match is supported');
  return new FilterStateMatcher(
    config.key,
    compileStringMatcher(config.string_match, at(path, 'string_match')),
  );
}
