// HeaderMutations (config.common.mutation_rules.v3.HeaderMutation), compiled: one after the other, each sees what those before
// it did. Envoy: source/common/http/header_mutation.cc.

import type { HeaderMutation } from '../../../xds-protos/generated/envoy/config/common/mutation_rules/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { compileStringMatcher, type StringMatcher } from '../matcher/string_matcher.ts';
import { compileHeaderParser } from './header_parser.ts';

interface Mutation {
  evaluateRequestHeaders(headers: RequestHeaderMap, info: StreamInfo): void;
}

class RemoveOnMatch implements Mutation {
  private readonly key: StringMatcher;
  constructor(key: StringMatcher) {
    this.key = key;
  }
  evaluateRequestHeaders(headers: RequestHeaderMap): void {
    const names = headers.list.filter((name, i) => i % 2 === 0 && this.key.match(name));
    for (const name of names) headers.remove(name);
  }
}

export class HeaderMutations implements Mutation {
  private readonly mutations: readonly Mutation[];
  constructor(mutations: readonly Mutation[]) {
    this.mutations = mutations;
  }
  evaluateRequestHeaders(headers: RequestHeaderMap, info: StreamInfo): void {
    for (const mutation of this.mutations) mutation.evaluateRequestHeaders(headers, info);
  }
}

/** Throws ConfigError. */
export function compileHeaderMutations(
  configs: readonly HeaderMutation[],
  context: FactoryContext,
  path: string,
): HeaderMutations {
  return new HeaderMutations(configs.map((config, i) => compileMutation(config, context, at(path, i))));
}

function compileMutation(config: HeaderMutation, context: FactoryContext, path: string): Mutation {
  const { append, remove, remove_on_match } = config;
  if (remove_on_match !== undefined) {
    const where = at(path, 'remove_on_match.key_matcher');
    if (remove_on_match.key_matcher === undefined) throw new ConfigError(where, 'value is required');
    return new RemoveOnMatch(compileStringMatcher(remove_on_match.key_matcher, where));
  }
  const parser = compileHeaderParser(
    append === undefined ? [] : [append],
    remove === undefined ? [] : [remove],
    context,
    path,
    'request_headers',
  );
  if (parser === undefined) throw new ConfigError(path, 'action must be specified');
  return parser;
}
