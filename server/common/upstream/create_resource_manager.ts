// The circuit breakers of one priority on one worker, of the kind that their configuration asks for, and their limits: those of
// the configuration, or of the runtime where it has some.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_runtime#circuit-breaking-settings

import { createRequire } from 'node:module';
import type { Runtime } from '../../api/runtime.ts';
import type { Priority } from '../../api/upstream/cluster.ts';
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

/** The limits in force: `configured`, and over them the keys `circuit_breakers.<cluster>.<priority>.*` of the runtime. */
export function currentThresholds(
  configured: Thresholds,
  runtime: Runtime,
  clusterName: string,
  priority: Priority,
): Thresholds {
  const keys = `circuit_breakers.${clusterName}.${priority === 0 ? 'default' : 'high'}.`;
  if (!runtime.hasBelow(keys)) return configured;
  const { runtimeThresholds } =
    require('./runtime_thresholds.ts') as typeof import('./runtime_thresholds.ts');
  return runtimeThresholds(configured, runtime, keys);
}
