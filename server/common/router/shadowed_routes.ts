// Which routes of a virtual host no request can reach, because an earlier route takes everything that they would: found from the
// configuration alone. It never calls a route shadowed that is not; what it does not see is a route that several earlier ones cover
// together. Loaded when somebody asks.

import type { RouteMatch, Route as RouteProto } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import { toJson } from '../../../xds-protos/json.ts';
import type { Steps } from '../event/steps.ts';
import { type CompiledRegex, compileRegex } from '../matcher/regex.ts';

export interface Shadow {
  /** Of the earlier route. */
  readonly index: number;
  readonly reason: string;
}

const ROUTES_PER_STEP = 16;

/** By place: the first earlier route that takes all that the route would. */
export function* shadowedRoutes(routes: readonly RouteProto[]): Steps<ReadonlyMap<number, Shadow>> {
  const finder = new ShadowFinder();
  const shadows = new Map<number, Shadow>();
  for (const [index, { match }] of routes.entries()) {
    if (index % ROUTES_PER_STEP === 0) yield '';
    if (match === undefined) continue;
    const route = new MatchShape(match, index);
    const by = finder.firstThatCovers(route);
    // What is shadowed takes nothing that the one before it does not take.
    if (by === undefined) finder.add(route);
    else shadows.set(index, { index: by.index, reason: reasonOf(by, route) });
  }
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
  readonly regex: CompiledRegex | undefined;

  constructor(match: RouteMatch, index: number) {
    this.index = index;
    this.regex = match.safe_regex && compileRegex(match.safe_regex, '');
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
      return other.kind === 'exact' && other.caseSensitive && this.regex!.match(other.text);
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

/** Where a route stands that may cover others: by what their paths begin with, or by what they must be. */
type Place = 'begins' | 'begins in any case' | 'regex begins' | 'regex' | 'template' | 'connect';

/** Earlier routes by what they could cover, so that a list of thousands is not compared with itself. */
class ShadowFinder {
  /** By place, text and one of the conditions, which whatever is covered has, too. */
  readonly #routes = new Map<string, MatchShape[]>();
  /** Lengths of the texts at a place. */
  readonly #lengths = new Map<Place, Set<number>>();

  add(route: MatchShape): void {
    if (route.partial) return;
    const [condition = ''] = route.conditions;
    for (const [place, text] of placesOf(route)) {
      const key = `${place} ${text}\n${condition}`;
      const before = this.#routes.get(key);
      if (before === undefined) this.#routes.set(key, [route]);
      else before.push(route);
      const lengths = this.#lengths.get(place);
      if (lengths === undefined) this.#lengths.set(place, new Set([text.length]));
      else lengths.add(text.length);
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

  *#candidates(route: MatchShape): Generator<MatchShape> {
    const { kind, text, caseSensitive } = route;
    if (kind === 'connect') {
      yield* this.#at('connect', '', route);
      return;
    }
    if (kind === 'regex' || kind === 'template') yield* this.#at(kind, text, route);
    if (kind === 'exact' && caseSensitive) yield* this.#beginningsOf('regex begins', text, route);
    // Of what a regex or a template takes only `/` is known to be the beginning.
    const known = kind === 'regex' || kind === 'template' ? '/' : text;
    yield* this.#beginningsOf('begins', known, route);
    yield* this.#beginningsOf('begins in any case', known.toLowerCase(), route);
  }

  *#beginningsOf(place: Place, text: string, route: MatchShape): Generator<MatchShape> {
    for (const length of this.#lengths.get(place) ?? [])
      if (length <= text.length) yield* this.#at(place, text.slice(0, length), route);
  }

  *#at(place: Place, text: string, { conditions }: MatchShape): Generator<MatchShape> {
    const key = `${place} ${text}\n`;
    yield* this.#routes.get(key) ?? [];
    for (const condition of conditions) yield* this.#routes.get(key + condition) ?? [];
  }
}

function placesOf({ kind, text, caseSensitive, regex }: MatchShape): readonly (readonly [Place, string])[] {
  if (kind === 'connect') return [[kind, '']];
  if (kind === 'template') return [[kind, text]];
  if (kind === 'regex') return [[kind, text], ['regex begins', regex!.requiredPrefix()]]; // biome-ignore format: short
  return [caseSensitive ? ['begins', text] : ['begins in any case', text.toLowerCase()]];
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
