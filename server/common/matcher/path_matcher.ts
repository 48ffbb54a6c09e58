// The path_specifier of a RouteMatch, compiled to a small kind and a literal. It sees the path without query and fragment.
// Envoy: source/common/router/config_impl.cc (the RouteEntryImpl classes).

import type { ExplainNode } from '../../api/router.ts';
import { leaf } from './explain.ts';
import { latin1Of } from './latin1.ts';
import type { CompiledRegex } from './regex.ts';
import { lowerCase } from './string_matcher.ts';

export const PathKind = {
  /** prefix `/`: what nearly every route of a mesh has. */
  Root: 0,
  Prefix: 1,
  Exact: 2,
  Regex: 3,
  /** path_separated_prefix: the whole path, or up to a slash. */
  SeparatedPrefix: 4,
  Template: 5,
  /** Not about the path: CONNECT requests. */
  Connect: 6,
} as const;
export type PathKind = (typeof PathKind)[keyof typeof PathKind];

const SLASH = 47;
const KIND_NAMES = [
  'starts with',
  'starts with',
  'is',
  'matches regex',
  'is or is below',
  'matches template',
  'CONNECT',
];

/** What a path_match_policy extension compiles to. */
export interface PathTemplateMatcher {
  readonly template: string;
  match(path: string): boolean;
}

export class PathMatcher {
  readonly kind: PathKind;
  /** The configured prefix, path, pattern or template. */
  readonly text: string;
  private readonly literal: string;
  readonly caseSensitive: boolean;
  private readonly regex: CompiledRegex | undefined;
  readonly template: PathTemplateMatcher | undefined;

  constructor(
    kind: PathKind,
    text: string,
    caseSensitive: boolean,
    regex?: CompiledRegex,
    template?: PathTemplateMatcher,
  ) {
    this.kind = kind === PathKind.Prefix && text === '/' ? PathKind.Root : kind;
    this.text = latin1Of(text);
    this.caseSensitive = caseSensitive || regex !== undefined || template !== undefined;
    this.literal = this.caseSensitive ? this.text : lowerCase(this.text);
    this.regex = regex;
    this.template = template;
  }

  /** What every path that matches begins with, for an index; in lower case unless `caseSensitive`. '' where nothing is fixed. */
  requiredPrefix(): string {
    switch (this.kind) {
      case PathKind.Regex:
        return this.regex!.requiredPrefix();
      case PathKind.Template:
        return requiredPrefixOfTemplate(this.text);
      default:
        return this.literal;
    }
  }

  /** Does `sent` begin with the literal? Not when it matched only because its path parameters were ignored. */
  isPrefixOf(sent: string): boolean {
    return (this.caseSensitive ? sent : lowerCase(sent)).startsWith(this.literal);
  }

  match(sent: string): boolean {
    const path = this.caseSensitive ? sent : lowerCase(sent);
    const literal = this.literal;
    switch (this.kind) {
      case PathKind.Root:
        return path.charCodeAt(0) === SLASH;
      case PathKind.Prefix:
        return path.startsWith(literal);
      case PathKind.Exact:
        return path === literal;
      case PathKind.Regex:
        return this.regex!.match(path);
      case PathKind.SeparatedPrefix:
        return (
          path.startsWith(literal) &&
          (path.length === literal.length || path.charCodeAt(literal.length) === SLASH)
        );
      case PathKind.Template:
        return this.template!.match(path);
      default:
        return true;
    }
  }

  explain(path: string): ExplainNode {
    const anyCase = this.caseSensitive ? '' : ' (any case)';
    const what = `path ${KIND_NAMES[this.kind]} '${this.text}'${anyCase}`;
    return leaf(what, this.match(path), `the path is '${path}'`);
  }
}

/**
 * Whole segments before the first operator or variable. A template sees path parameters, which routes may be told to ignore: it is
 * asked for paths that are compared without them, so a `;` ends what is fixed, too.
 */
function requiredPrefixOfTemplate(text: string): string {
  const end = text.search(/[*{;]/);
  return end < 0 ? text : text.slice(0, text.lastIndexOf('/', end) + 1);
}

/** Where the query or the fragment of a path begins, or its length. */
export function pathEnd(path: string): number {
  const query = path.indexOf('?');
  const fragment = path.indexOf('#');
  if (fragment >= 0 && (query < 0 || fragment < query)) return fragment;
  return query < 0 ? path.length : query;
}

/** The path without query and fragment. */
export function withoutQuery(path: string): string {
  const end = pathEnd(path);
  return end === path.length ? path : path.slice(0, end);
}
