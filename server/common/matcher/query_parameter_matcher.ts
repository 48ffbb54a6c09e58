// QueryParameterMatcher of envoy.config.route.v3, compiled. Names and values are compared as sent, without percent-decoding,
// and only the first value of a name counts. Envoy: source/common/router/config_utility.cc, source/common/http/utility.cc.

import type { QueryParameterMatcher as QueryParameterMatcherConfig } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { at } from '../../api/config_error.ts';
import type { ExplainNode } from '../../api/router.ts';
import { leaf } from './explain.ts';
import { latin1Of } from './latin1.ts';
import { compileStringMatcher, type StringMatcher } from './string_matcher.ts';

/** The first value of `name` in the query of `path`, '' for a name without `=`; undefined when absent. */
export function queryParameter(path: string, name: string): string | undefined {
  const length = path.length;
  let start = path.indexOf('?') + 1;
  if (start === 0) return undefined;
  while (start < length) {
    let end = path.indexOf('&', start);
    if (end < 0) end = length;
    if (path.startsWith(name, start)) {
      const after = start + name.length;
      if (after === end) return '';
      if (after < end && path[after] === '=') return path.slice(after + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}

/** Bytes by their hexadecimal digits; what is no such pair stays. */
export function decodedQueryParameter(path: string, name: string): string | undefined {
  const text = queryParameter(path, name);
  if (text === undefined || !text.includes('%')) return text;
  return text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

export class QueryParameterMatcher {
  readonly name: string;
  private readonly present: boolean;
  private readonly text: StringMatcher | undefined;

  constructor(name: string, present: boolean, text: StringMatcher | undefined) {
    this.name = name;
    this.present = present;
    this.text = text;
  }

  /** `path` is the request's path with its query. */
  match(path: string): boolean {
    return this.matchValue(queryParameter(path, this.name));
  }

  /** `value` of the parameter; undefined = absent. */
  matchValue(value: string | undefined): boolean {
    if (this.text === undefined) return (value !== undefined) === this.present;
    return value !== undefined && this.text.match(value);
  }

  explain(path: string): ExplainNode {
    const value = queryParameter(path, this.name);
    const found = value === undefined ? 'the parameter is absent' : `the value is '${value}'`;
    const test = this.text?.describe() ?? (this.present ? 'is present' : 'is absent');
    return leaf(`query parameter ${this.name} ${test}`, this.match(path), found);
  }
}

export function compileQueryParameterMatcher(
  config: QueryParameterMatcherConfig,
  path: string,
): QueryParameterMatcher {
  const text = config.string_match && compileStringMatcher(config.string_match, at(path, 'string_match'));
  return new QueryParameterMatcher(latin1Of(config.name), config.present_match ?? true, text);
}
