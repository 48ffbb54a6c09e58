// CookieMatcher of envoy.config.route.v3, compiled: the value of the first cookie of a name. A cookie that is not there matches
// only inverted. Envoy: source/common/router/config_utility.cc.

import type { CookieMatcher as CookieMatcherConfig } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { ExplainNode } from '../../api/router.ts';
import { cookieValue } from '../http/cookie.ts';
import { leaf } from './explain.ts';
import { latin1Of } from './latin1.ts';
import { compileStringMatcher, type StringMatcher } from './string_matcher.ts';

export class CookieMatcher {
  private readonly name: string;
  private readonly text: StringMatcher;
  private readonly invert: boolean;

  constructor(name: string, text: StringMatcher, invert: boolean) {
    this.name = name;
    this.text = text;
    this.invert = invert;
  }

  match(headers: RequestHeaderMap): boolean {
    const value = cookieValue(headers, this.name);
    return (value !== undefined && this.text.match(value)) !== this.invert;
  }

  explain(headers: RequestHeaderMap): ExplainNode {
    const value = cookieValue(headers, this.name);
    const what = `${this.invert ? 'not: ' : ''}cookie ${this.name} ${this.text.describe()}`;
    return leaf(what, this.match(headers), value === undefined ? 'there is none' : `the value is '${value}'`);
  }
}

/** Throws ConfigError. */
export function compileCookieMatcher(config: CookieMatcherConfig, path: string): CookieMatcher {
  if (config.string_match === undefined) throw new ConfigError(at(path, 'string_match'), 'value is required');
  const text = compileStringMatcher(config.string_match, at(path, 'string_match'));
  return new CookieMatcher(latin1Of(config.name), text, config.invert_match);
}
