// The circuit breakers of one priority on one worker, of the kind that their configuration asks for.

import { createRequire } from 'node:module';
import { SharedResourceManager, type Thresholds } from './resource_manager.ts';

const require = createRequire(import.meta.url);

/** Parameters are those of SharedResourceManager. */
export function createResourceManager(
  thresholds: Thresholds,
  table: Int32Array,
  held: Int32Array,
  slot: number,
): SharedResourceManager {
  if (thresholds.retryBudgetPercent === undefined || thresholds.budgetIntervalMs === 0)
    return new SharedResourceManager(thresholds, table, held, slot);
  const { IntervalResourceManager } = require('./retry_budget.ts') as typeof import('./retry_budget.ts');
  return new IntervalResourceManager(thresholds, table, held, slot);
}
