// envoy.path.match.uri_template.uri_template_matcher: a route's path as a template.
// Envoy: source/extensions/path/match/uri_template, api/envoy/extensions/path/match/uri_template/v3.

import type { UriTemplateMatchConfig } from '../../../../../xds-protos/generated/envoy/extensions/path/match/uri_template/v3.ts';
import { at } from '../../../../api/config_error.ts';
import type { FactoryContext, SettingsFactory } from '../../../../api/registry.ts';
import type { PathTemplateMatcher } from '../../../../common/matcher/path_matcher.ts';
import { parseUriTemplate, type UriTemplate } from '../../uri_template_lib/uri_template.ts';

export class UriTemplateMatcher implements PathTemplateMatcher {
  readonly template: string;
  readonly parsed: UriTemplate;

  constructor(parsed: UriTemplate) {
    this.template = parsed.text;
    this.parsed = parsed;
    Object.freeze(this);
  }

  match(path: string): boolean {
    return this.parsed.pattern.test(path);
  }
}

export const uriTemplateMatcherFactory: SettingsFactory<UriTemplateMatchConfig> = {
  compile(config: UriTemplateMatchConfig, _context: FactoryContext, path: string): UriTemplateMatcher {
    return new UriTemplateMatcher(parseUriTemplate(config.path_template, at(path, 'path_template')));
  },
};
