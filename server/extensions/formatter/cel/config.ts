// envoy.formatter.cel: %CEL(...)%, which is built in by now; configurations that still name it are accepted.
// Envoy: source/extensions/formatter/cel.

import type { SettingsFactory } from '../../../api/registry.ts';
import type { CommandParser } from '../../../common/formatter/formatter_provider.ts';

export const celFormatter: SettingsFactory<object> = {
  compile: (): CommandParser => ({ parse: () => undefined }),
};
