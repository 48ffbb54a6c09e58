// Which routes of a virtual host no request can reach, because an earlier route takes everything that they would: found from the
// configuration alone. It never calls a route shadowed that is not; what it does not see is a route that several earlier ones cover
// together. Loaded when somebody asks.

import type { RouteMatch, Route as RouteProto } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { toJson } from '../../../xds-protos/json.ts';
import { compileRegex } from '../matcher/regex.ts';

export interface Shadow {
  /** Of the earlier route. */
  readonly index: number;
  readonly reason: string;
}

/** By place: the first earlier route that takes all that the route would. */
export function shadowedRoutes(routes: readonly RouteProto[]): ReadonlyMap<number, Shadow> {
  const finder = new ShadowFinder();
  const shadows = new Map<number, Shadow>();
  routes.forEach(({ match }, index) => {
    if (match === undefined) return;
    const route = new MatchShape(match, index);
    const by = finder.firstThatCovers(route);
    // What is shadowed takes nothing that the one before it does not take.
    if (by === undefined) finder.add(route);
    else shadows.set(index, { index: by.index, reason: reasonOf(by, route) });
  });
  return shadows;
}

type PathKind = 'prefix' | 'exact' | 'separated' | 'regex' | 'template' | 'connect';

class MatchShape {
  readonly index: number;
  readonly kind: PathKind;
  readonly text: string;
  readonly caseSensitive: boolean;
  /** What is asked beside the path, as JSON of each. */
  readonly conditions: ReadonlySet<string>;
  /** Only a part of the requests that match are taken. */
  readonly partial: boolean;
  readonly match: RouteMatch;

  constructor(match: RouteMatch, index: number) {
    this.match = match;
    this.index = index;
    [this.kind, this.text] = pathOf(match);
    this.caseSensitive = match.case_sensitive?.value ?? true;
    this.conditions = conditionsOf(match);
    const fraction = match.runtime_fraction;
    this.partial = fraction !== undefined;
  }

  /** Does every request that `other` matches match here? */
  covers(other: MatchShape): boolean {
    if (this.partial) return false;
    for (const condition of this.conditions) if (!other.conditions.has(condition)) return false;
    return this.#coversPath(other);
  }

  #coversPath(other: MatchShape): boolean {
    const { kind, text } = this;
    if (kind === 'connect' || other.kind === 'connect') return kind === other.kind;
    if (kind === 'template') return other.kind === 'template' && other.text === text;
    if (kind === 'regex') {
      if (other.kind === 'regex') return other.text === text;
      return other.kind === 'exact' && other.caseSensitive && regexMatches(this.match, other.text);
    }
    // Every path begins with a slash.
    if (kind === 'prefix' && (text === '/' || text === '')) return true;
    if (other.kind === 'regex' || other.kind === 'template') return false;
    if (this.caseSensitive && !other.caseSensitive && /[a-z]/i.test(text)) return false;
    const [own, theirs] = this.caseSensitive
      ? [text, other.text]
      : [text.toLowerCase(), other.text.toLowerCase()];
    if (kind === 'prefix') return theirs.startsWith(own);
    if (kind === 'exact') return other.kind === 'exact' && theirs === own;
    if (theirs.startsWith(`${own}/`)) return true;
    return other.kind !== 'prefix' && theirs === own;
  }
}

function pathOf(match: RouteMatch): [PathKind, string] {
  if (match.prefix !== undefined) return ['prefix', match.prefix];
  if (match.path !== undefined) return ['exact', match.path];
  if (match.path_separated_prefix !== undefined) return ['separated', match.path_separated_prefix];
  if (match.safe_regex !== undefined) return ['regex', match.safe_regex.regex];
  if (match.connect_matcher !== undefined) return ['connect', ''];
  return [
    'template',
    JSON.stringify(toJson('envoy.config.core.v3.TypedExtensionConfig', match.path_match_policy ?? {})),
  ];
}

const MATCH = 'envoy.config.route.v3.RouteMatch';

function conditionsOf(match: RouteMatch): ReadonlySet<string> {
  const { headers, query_parameters, grpc, tls_context, dynamic_metadata, filter_state, cookies } = match;
  const conditions = new Set<string>();
  const add = (field: string, value: unknown): void => {
    conditions.add(JSON.stringify(toJson(MATCH, { [field]: value })));
  };
  for (const header of headers) add('headers', [header]);
  for (const parameter of query_parameters) add('query_parameters', [parameter]);
  for (const metadata of dynamic_metadata) add('dynamic_metadata', [metadata]);
  for (const state of filter_state) add('filter_state', [state]);
  for (const cookie of cookies) add('cookies', [cookie]);
  if (grpc !== undefined) add('grpc', grpc);
  if (tls_context !== undefined) add('tls_context', tls_context);
  return conditions;
}

function regexMatches({ safe_regex }: RouteMatch, path: string): boolean {
  return compileRegex(safe_regex!, '').match(path);
}

/** Earlier routes by what they could cover, so that a list of thousands is not compared with itself. */
class ShadowFinder {
  readonly #byText = new Map<string, MatchShape[]>();
  /** Those that no text of a path leads to. */
  readonly #others: MatchShape[] = [];

  add(route: MatchShape): void {
    const textual = route.kind === 'prefix' || route.kind === 'exact' || route.kind === 'separated';
    if (!textual || !route.caseSensitive) this.#others.push(route);
    else {
      const before = this.#byText.get(route.text);
      if (before === undefined) this.#byText.set(route.text, [route]);
      else before.push(route);
    }
  }

  firstThatCovers(route: MatchShape): MatchShape | undefined {
    let first: MatchShape | undefined;
    for (const candidate of this.#candidates(route)) {
      if ((first === undefined || candidate.index < first.index) && candidate.covers(route))
        first = candidate;
    }
    return first;
  }

  *#candidates({ kind, text }: MatchShape): Generator<MatchShape> {
    yield* this.#others;
    // All that are a beginning of the text; of a regex only `/` is known to be.
    const known = kind === 'regex' || kind === 'template' ? '/' : text;
    for (let length = 0; length <= known.length; length++)
      yield* this.#byText.get(known.slice(0, length)) ?? [];
  }
}

const KIND_TEXT: Readonly<Record<PathKind, string>> = {
  prefix: 'takes every path that starts with',
  exact: 'takes the path',
  separated: 'takes the paths at and below',
  regex: 'takes the paths that match',
  template: 'takes the paths of the template',
  connect: 'takes all CONNECT requests',
};

function reasonOf(by: MatchShape, route: MatchShape): string {
  const what = by.kind === 'connect' ? KIND_TEXT.connect : `${KIND_TEXT[by.kind]} '${by.text}'`;
  const conditions =
    by.conditions.size === 0 ? 'asks for nothing else' : 'asks for nothing that this one does not ask for';
  const chance = route.partial ? '; the runtime fraction does not change that' : '';
  return `route ${by.index} comes first, ${what}, and ${conditions}${chance}`;
}
