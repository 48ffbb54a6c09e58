// Path templates such as `/videos/{lang}/*/**.mpd`: parsed, checked, and turned into a regular expression.
// Envoy: source/extensions/path/uri_template_lib.

import { ConfigError } from '../../../api/config_error.ts';

// What a path segment may hold: RFC 3986's pchar.
const LITERAL = "a-zA-Z0-9\\-._~%!$&'()*+,;:@=";
const LITERAL_TEXT = new RegExp(`^[${LITERAL}]+$`);
const REWRITE_TEXT = new RegExp(`^[${LITERAL}/]+$`);
const ONE_SEGMENT = `[${LITERAL}]+`;
const ANY_SEGMENTS = `[${LITERAL}/]*`;

const MAX_VARIABLES = 5;
const MAX_VARIABLE_NAME_LENGTH = 16;

/** A parsed template. `variables[i]` is what group i + 1 of `pattern` holds. */
export interface UriTemplate {
  readonly text: string;
  readonly pattern: RegExp;
  readonly variables: readonly string[];
}

class Parser {
  private readonly path: string;
  private readonly variables: string[] = [];
  private seenTextGlob = false;

  constructor(path: string) {
    this.path = path;
  }

  parse(text: string): UriTemplate {
    if (!/^\/[!-~]*$/.test(text)) throw this.error('Invalid pattern');
    let rest = text.slice(1);
    let source = '^\\/';
    while (rest !== '') {
      const [piece, after] = this.segment(rest);
      source += piece;
      rest = after;
      if (rest.startsWith('{') && !/[*}]$/.test(text.slice(0, -rest.length))) {
        // A variable may follow a literal directly.
        continue;
      }
      if (rest.startsWith('/')) {
        source += '\\/';
        rest = rest.slice(1);
      } else if (rest !== '') {
        // What follows an operator or a variable directly is the path's suffix, and the end.
        if (rest.includes('/')) throw this.error('Prefix match not supported.');
        source += this.literal(rest);
        rest = '';
      }
    }
    return Object.freeze({
      text,
      pattern: new RegExp(`${source}$`),
      variables: Object.freeze(this.variables),
    });
  }

  private segment(text: string): [string, string] {
    if (text.startsWith('*')) return this.operator(text);
    if (text.startsWith('{')) return this.variable(text);
    const [literal] = /^[^/{]*/.exec(text)!;
    return [this.literal(literal), text.slice(literal.length)];
  }

  private operator(text: string): [string, string] {
    if (this.seenTextGlob) throw this.error('Glob after text glob.');
    this.seenTextGlob = text.startsWith('**');
    return this.seenTextGlob ? [ANY_SEGMENTS, text.slice(2)] : [ONE_SEGMENT, text.slice(1)];
  }

  private literal(text: string): string {
    if (!LITERAL_TEXT.test(text) || text.includes('**')) throw this.error(`Invalid literal: "${text}"`);
    // Envoy leaves a `*` in a literal as it is, a repetition of the character before it.
    return text.replace(/[$()+.]/g, '\\$&');
  }

  private variable(text: string): [string, string] {
    const end = text.indexOf('}');
    if (end < 0) throw this.error('Unmatched variable bracket');
    const inside = text.slice(1, end);
    const equals = inside.indexOf('=');
    this.addVariable(equals < 0 ? inside : inside.slice(0, equals));
    const source = equals < 0 ? this.implicitOperator() : this.variableMatch(inside.slice(equals + 1));
    return [`(${source})`, text.slice(end + 1)];
  }

  private implicitOperator(): string {
    if (this.seenTextGlob) throw this.error('Implicit variable path glob after text glob.');
    return ONE_SEGMENT;
  }

  private variableMatch(text: string): string {
    if (text === '') throw this.error('Empty variable match');
    let rest = text;
    let source = '';
    while (rest !== '') {
      const [piece, after] = rest.startsWith('{') ? [this.literal(rest), ''] : this.segment(rest);
      source += piece;
      rest = after;
      if (rest === '') break;
      if (!rest.startsWith('/') || rest === '/') throw this.error('Invalid variable match');
      source += '\\/';
      rest = rest.slice(1);
    }
    return source;
  }

  private addVariable(name: string): void {
    if (!/^[a-zA-Z][a-zA-Z0-9_]*$/.test(name)) throw this.error('Invalid variable name');
    if (this.variables.length >= MAX_VARIABLES) throw this.error('Exceeded variable count limit');
    if (name.length > MAX_VARIABLE_NAME_LENGTH) {
      throw this.error(
        `Invalid variable name length (length of "${name}" should be at least 1 and no more than ${MAX_VARIABLE_NAME_LENGTH})`,
      );
    }
    if (this.variables.includes(name)) throw this.error('Repeated variable name');
    this.variables.push(name);
  }

  error(reason: string): ConfigError {
    return new ConfigError(this.path, reason);
  }
}

/** Throws ConfigError with Envoy's reason. */
export function parseUriTemplate(text: string, path: string): UriTemplate {
  return new Parser(path).parse(text);
}

/** A rewrite text in pieces: literals, and names of variables in `{variable}`. */
export type RewriteSegment = { readonly literal: string } | { readonly variable: string };

/** Throws ConfigError for what is not literals and `{variable}`s. */
export function parseUriTemplateRewrite(text: string, path: string): readonly RewriteSegment[] {
  if (!text.startsWith('/') || text.startsWith('//'))
    throw new ConfigError(path, 'Invalid rewrite variable placement');
  const segments: RewriteSegment[] = [];
  for (const [piece, name] of text.matchAll(/\{([^{}]*)\}|[^{}]+|[{}]/g)) {
    if (name !== undefined) {
      if (!/^[a-zA-Z][a-zA-Z0-9_]*$/.test(name)) throw new ConfigError(path, 'Invalid variable name');
      segments.push(Object.freeze({ variable: name }));
    } else {
      if (!REWRITE_TEXT.test(piece)) throw new ConfigError(path, 'Invalid rewrite literal');
      segments.push(Object.freeze({ literal: piece }));
    }
  }
  return Object.freeze(segments);
}
