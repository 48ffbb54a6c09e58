// Limits of circuit breakers as the runtime overrides them. Follows Envoy's source/common/upstream/resource_manager_impl.h.

import type { Runtime } from '../../api/runtime.ts';
import type { Thresholds } from './resource_manager.ts';

/** Source: RetryBudget.budget_percent. */
const DEFAULT_BUDGET_PERCENT = 20;

/** `configured` with what the runtime has below `keys`, which ends with a dot. */
export function runtimeThresholds(configured: Thresholds, runtime: Runtime, keys: string): Thresholds {
  const integer = (name: string, fallback: number): number => runtime.getInteger(keys + name, fallback);
  const percentKey = `${keys}retry_budget.budget_percent`;
  const concurrencyKey = `${keys}retry_budget.min_retry_concurrency`;
  const { retryBudgetPercent } = configured;
  // Either key makes a retry budget where none is configured, whatever it holds.
  const hasBudget =
    retryBudgetPercent !== undefined || runtime.hasBelow(percentKey) || runtime.hasBelow(concurrencyKey);
  return Object.freeze({
    ...configured,
    maxConnections: integer('max_connections', configured.maxConnections),
    maxPendingRequests: integer('max_pending_requests', configured.maxPendingRequests),
    maxRequests: integer('max_requests', configured.maxRequests),
    maxRetries: integer('max_retries', configured.maxRetries),
    maxConnectionPools: integer('max_connection_pools', configured.maxConnectionPools),
    retryBudgetPercent: hasBudget
      ? runtime.getDouble(percentKey, retryBudgetPercent ?? DEFAULT_BUDGET_PERCENT)
      : undefined,
    minRetryConcurrency: runtime.getInteger(concurrencyKey, configured.minRetryConcurrency),
  });
}
