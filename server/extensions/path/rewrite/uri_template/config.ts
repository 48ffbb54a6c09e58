// envoy.path.rewrite.uri_template.uri_template_rewriter: a new path from the variables of the route's path template.
// Envoy: source/extensions/path/rewrite/uri_template, api/envoy/extensions/path/rewrite/uri_template/v3.

import type { UriTemplateRewriteConfig } from '../../../../../xds-protos/generated/envoy/extensions/path/rewrite/uri_template/v3.ts';
import { at, ConfigError } from '../../../../api/config_error.ts';
import type { FactoryContext, SettingsFactory } from '../../../../api/registry.ts';
import type { PathTemplateMatcher } from '../../../../common/matcher/path_matcher.ts';
import type { PathTemplateRewriter } from '../../../../common/router/path_rewrite.ts';
import { UriTemplateMatcher } from '../../match/uri_template/config.ts';
import { parseUriTemplateRewrite, type RewriteSegment } from '../../uri_template_lib/uri_template.ts';

const NAME = 'envoy.path.rewrite.uri_template.uri_template_rewriter';

class UriTemplateRewriter implements PathTemplateRewriter {
  private readonly segments: readonly RewriteSegment[];

  constructor(segments: readonly RewriteSegment[]) {
    this.segments = segments;
    Object.freeze(this);
  }

  checkCompatible(matcher: PathTemplateMatcher | undefined, path: string): void {
    if (!(matcher instanceof UriTemplateMatcher)) {
      throw new ConfigError(
        path,
        `unable to use ${NAME} extension without envoy.path.match.uri_template.uri_template_matcher extension`,
      );
    }
    for (const segment of this.segments) {
      if ('variable' in segment && !matcher.parsed.variables.includes(segment.variable)) {
        throw new ConfigError(
          path,
          `mismatch between variables in path_match_policy ${matcher.template} and path_rewrite_policy`,
        );
      }
    }
  }

  rewrite(path: string, matcher: PathTemplateMatcher): string | undefined {
    const { pattern, variables } = (matcher as UriTemplateMatcher).parsed;
    const found = pattern.exec(path);
    if (found === null) return undefined;
    let result = '';
    for (const segment of this.segments) {
      result += 'literal' in segment ? segment.literal : found[variables.indexOf(segment.variable) + 1];
    }
    return result;
  }
}

export const uriTemplateRewriterFactory: SettingsFactory<UriTemplateRewriteConfig> = {
  compile(config: UriTemplateRewriteConfig, _context: FactoryContext, path: string): UriTemplateRewriter {
    return new UriTemplateRewriter(
      parseUriTemplateRewrite(config.path_template_rewrite, at(path, 'path_template_rewrite')),
    );
  },
};
