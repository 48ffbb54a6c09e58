// envoy.formatter.metadata: %METADATA(...)%, which is built in by now; configurations that still name it are accepted.
// Envoy: source/extensions/formatter/metadata.

import type { SettingsFactory } from '../../../api/registry.ts';
import type { CommandParser } from '../../../common/formatter/formatter_provider.ts';

export const metadataFormatter: SettingsFactory<object> = {
  category: 'envoy.formatter',
  name: 'envoy.formatter.metadata',
  configTypes: ['envoy.extensions.formatter.metadata.v3.Metadata'],
  compile: (): CommandParser => ({ parse: () => undefined }),
};
