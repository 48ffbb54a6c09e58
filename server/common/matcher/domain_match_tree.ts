// A match tree by domain names: xds.type.matcher.v3.ServerNameMatcher, a custom_match. A whole name comes first, then the wildcards,
// the longest first, then `*`; one that leads nowhere is passed over. Envoy: source/extensions/common/matcher/domain_matcher.h.

import type { ServerNameMatcher } from '../../../xds-protos/generated/xds/type/matcher/v3.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { ExplainNode } from '../../api/router.ts';
import { allOf, anyOf, leaf } from './explain.ts';
import type { MatchInput } from './match_predicate.ts';
import type { MatchTree } from './match_tree.ts';

type OnMatch = ServerNameMatcher['domain_matchers'][number]['on_match'];

class DomainMatchTree<Data, Action> implements MatchTree<Data, Action> {
  private readonly input: MatchInput<Data>;
  /** By name, by `*.suffix`, by `*`. */
  private readonly domains: ReadonlyMap<string, MatchTree<Data, Action>>;
  private readonly onNoMatch: MatchTree<Data, Action> | undefined;

  constructor(
    input: MatchInput<Data>,
    domains: ReadonlyMap<string, MatchTree<Data, Action>>,
    onNoMatch: MatchTree<Data, Action> | undefined,
  ) {
    this.input = input;
    this.domains = domains;
    this.onNoMatch = onNoMatch;
  }

  match(data: Data): Action | undefined {
    for (const domain of candidates(this.input.get(data))) {
      const action = this.domains.get(domain)?.match(data);
      if (action !== undefined) return action;
    }
    return this.onNoMatch?.match(data);
  }

  explain(data: Data): ExplainNode {
    const value = this.input.get(data);
    const children: ExplainNode[] = [];
    for (const domain of candidates(value)) {
      const onMatch = this.domains.get(domain);
      if (onMatch === undefined) continue;
      const node = allOf(`${this.input.name} is ${domain}`, [onMatch.explain(data)]);
      children.push(node);
      if (node.matched) return anyOf('domain matcher', children);
    }
    if (children.length === 0)
      children.push(leaf(`domains by ${this.input.name}`, false, `the value is ${value ?? 'absent'}`));
    if (this.onNoMatch !== undefined) children.push(allOf('on_no_match', [this.onNoMatch.explain(data)]));
    return anyOf('domain matcher', children);
  }
}

/** The domains that `value` may be found under, in the order in which they count. */
function* candidates(value: string | undefined): Iterable<string> {
  if (value === undefined || value === '') return;
  yield value;
  for (let dot = value.indexOf('.'); dot >= 0; dot = value.indexOf('.', dot + 1))
    yield `*${value.slice(dot)}`;
  yield '*';
}

/** `compileOnMatch` compiles what a domain leads to. Throws ConfigError. */
export function compileDomainMatchTree<Data, Action>(
  config: ServerNameMatcher,
  input: MatchInput<Data>,
  compileOnMatch: (config: OnMatch, path: string) => MatchTree<Data, Action>,
  onNoMatch: MatchTree<Data, Action> | undefined,
  path: string,
): MatchTree<Data, Action> {
  const all = new Map<string, MatchTree<Data, Action>>();
  config.domain_matchers.forEach(({ domains, on_match }, i) => {
    const inside = at(at(path, 'domain_matchers'), i);
    const onMatch = compileOnMatch(on_match, at(inside, 'on_match'));
    if (domains.length === 0) throw new ConfigError(at(inside, 'domains'), 'at least one domain is required');
    domains.forEach((domain, n) => {
      const where = at(at(inside, 'domains'), n);
      if (all.has(domain)) throw new ConfigError(where, `Duplicate domain in ServerNameMatcher: ${domain}`);
      checkDomain(domain, where);
      all.set(domain, onMatch);
    });
  });
  return new DomainMatchTree(input, all, onNoMatch);
}

function checkDomain(domain: string, path: string): void {
  if (domain === '*') return;
  if (domain === '') throw new ConfigError(path, 'Empty domain in ServerNameMatcher');
  const star = domain.indexOf('*');
  if (star < 0) return;
  const invalid = `Invalid wildcard domain format: ${domain}.`;
  if (star !== 0 || domain.length < 3 || domain[1] !== '.')
    throw new ConfigError(path, `${invalid} Only '*' and '*.domain' patterns are supported`);
  if (domain.includes('*', 1)) throw new ConfigError(path, `${invalid} Multiple wildcards are not supported`);
}
