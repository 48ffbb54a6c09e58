// envoy.retry_priorities.previous_priorities: a retry goes to another priority. The router reads `update_frequency` from the message.
// Envoy: source/extensions/retry/priority/previous_priorities.

import type { SettingsFactory } from '../../../../api/registry.ts';

export const previousPrioritiesFactory: SettingsFactory = {
  compile: () => Object.freeze({}),
};
