// envoy.http.stateful_header_formatters.preserve_case: HTTP/1 header names go out as they came in. The codecs do it.
// Envoy: source/extensions/http/header_formatters/preserve_case.

import type { SettingsFactory } from '../../../../api/registry.ts';
import { compilePreserveCase, type PreserveCaseConfig } from '../../../../common/http/http1/settings.ts';

export const preserveCaseFactory: SettingsFactory<PreserveCaseConfig> = {
  compile: compilePreserveCase,
};
