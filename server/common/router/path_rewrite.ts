// prefix_rewrite, regex_rewrite, path_rewrite (a format) and path_rewrite_policy of routes and redirects, compiled. The query always stays.
// Envoy: currentUrlPathAfterRewriteWithMatchedPath in source/common/router/config_impl.cc.

import type { RedirectAction, RouteAction } from '../../../xds-protos/generated/envoy/config/route/v3.ts';
import type { RegexMatchAndSubstitute } from '../../../xds-protos/generated/envoy/type/matcher/v3.ts';
import type { Formatter } from '../../api/access_log.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { StreamInfo } from '../../api/stream_info.ts';
import { compileFormat } from '../formatter/substitution_formatter.ts';
import { latin1Of } from '../matcher/latin1.ts';
import { PathKind, type PathMatcher, type PathTemplateMatcher, pathEnd } from '../matcher/path_matcher.ts';
import { type CompiledRegex, compileRegex, Substitution } from '../matcher/regex.ts';

/** What a path_rewrite_policy extension compiles to. */
export interface PathTemplateRewriter {
  /** The new path without query, or undefined when the path does not fit the template. */
  rewrite(path: string, matcher: PathTemplateMatcher): string | undefined;
  /** Throws ConfigError when the route's match has not what the rewrite needs. */
  checkCompatible(matcher: PathTemplateMatcher | undefined, path: string): void;
}

/** A rewrite of one route. */
export interface PathRewrite {
  /** The new path with the old query; undefined: leave it as it is. */
  rewrite(path: string, headers: RequestHeaderMap, info: StreamInfo | undefined): string | undefined;
}

class PrefixRewrite implements PathRewrite {
  private readonly replacement: string;
  private readonly matcher: PathMatcher;
  /** A regex matches the path as a whole, so all of it is replaced. */
  private readonly whole: boolean;
  constructor(replacement: string, matcher: PathMatcher) {
    this.replacement = replacement;
    this.matcher = matcher;
    this.whole = matcher.kind === PathKind.Regex || matcher.kind === PathKind.Connect;
  }
  rewrite(path: string): string | undefined {
    if (this.whole) return this.replacement + path.slice(pathEnd(path));
    return this.matcher.isPrefixOf(path)
      ? this.replacement + path.slice(this.matcher.text.length)
      : undefined;
  }
}

/** Also rewrites hosts (host_rewrite_path_regex) through `replace`. */
export class RegexRewrite implements PathRewrite {
  private readonly regex: CompiledRegex;
  private readonly substitution: Substitution;
  constructor(config: RegexMatchAndSubstitute, path: string) {
    this.regex = compileRegex(config.pattern, at(path, 'pattern'));
    this.substitution = new Substitution(config.substitution);
  }
  rewrite(path: string): string {
    const end = pathEnd(path);
    return this.replace(path.slice(0, end)) + path.slice(end);
  }
  replace(text: string): string {
    return this.regex.replaceAll(text, this.substitution);
  }
}

/** Envoy leaves the path of a redirect alone when the substitution leaves nothing of it. */
class RedirectRegexRewrite implements PathRewrite {
  private readonly regex: RegexRewrite;
  constructor(regex: RegexRewrite) {
    this.regex = regex;
  }
  rewrite(path: string): string | undefined {
    return this.regex.replace(path.slice(0, pathEnd(path))) === '' ? undefined : this.regex.rewrite(path);
  }
}

class TemplateRewrite implements PathRewrite {
  private readonly rewriter: PathTemplateRewriter;
  private readonly matcher: PathTemplateMatcher;
  constructor(rewriter: PathTemplateRewriter, matcher: PathTemplateMatcher) {
    this.rewriter = rewriter;
    this.matcher = matcher;
  }
  rewrite(path: string): string {
    const end = pathEnd(path);
    const rewritten = this.rewriter.rewrite(path.slice(0, end), this.matcher);
    return rewritten === undefined ? path : rewritten + path.slice(end);
  }
}

/** path_rewrite. */
class FormatRewrite implements PathRewrite {
  private readonly format: Formatter;
  constructor(format: Formatter) {
    this.format = format;
  }
  rewrite(path: string, headers: RequestHeaderMap, info: StreamInfo | undefined): string | undefined {
    const formatted = formatOf(this.format, headers, info as StreamInfo);
    return formatted === '' ? undefined : formatted + path.slice(pathEnd(path));
  }
}

/** What a format makes of a request. */
export function formatOf(
  format: Formatter,
  requestHeaders: RequestHeaderMap,
  streamInfo: StreamInfo,
): string {
  return format.format({
    requestHeaders,
    responseHeaders: undefined,
    responseTrailers: undefined,
    streamInfo,
    localReplyBody: '',
    accessLogType: 'NotSet',
  });
}

export function compileRoutePathRewrite(
  action: RouteAction,
  matcher: PathMatcher,
  context: FactoryContext,
  path: string,
): PathRewrite | undefined {
  const { prefix_rewrite: prefix, regex_rewrite: regex, path_rewrite_policy: policy } = action;
  const format = action.path_rewrite;
  const all = [prefix !== '', regex !== undefined, policy !== undefined, format !== ''];
  if (all.filter((is) => is).length > 1) {
    throw new ConfigError(path, 'Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy');
  }
  if (prefix !== '') {
    if (matcher.template !== undefined) {
      throw new ConfigError(at(path, 'prefix_rewrite'), 'Cannot use prefix_rewrite with matcher extension');
    }
    return new PrefixRewrite(latin1Of(prefix), matcher);
  }
  if (regex !== undefined) return new RegexRewrite(regex, at(path, 'regex_rewrite'));
  if (format !== '') {
    const options = { omitEmptyValues: true };
    return new FormatRewrite(compileFormat(format, context, at(path, 'path_rewrite'), options));
  }
  if (policy === undefined) return undefined;
  const inside = at(path, 'path_rewrite_policy');
  const resolved = context.registry.resolve('envoy.path.rewrite', policy.name, policy.typed_config, inside);
  const rewriter = resolved.factory.compile(resolved.config, context, inside) as PathTemplateRewriter;
  rewriter.checkCompatible(matcher.template, inside);
  return new TemplateRewrite(rewriter, matcher.template!);
}

export function compileRedirectPathRewrite(
  action: RedirectAction,
  matcher: PathMatcher,
  path: string,
): PathRewrite | undefined {
  const { prefix_rewrite: prefix, regex_rewrite: regex } = action;
  if (prefix) return new PrefixRewrite(latin1Of(prefix), matcher);
  return regex && new RedirectRegexRewrite(new RegexRewrite(regex, at(path, 'regex_rewrite')));
}
