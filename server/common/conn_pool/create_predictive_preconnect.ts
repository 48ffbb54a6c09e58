// Loads what makes connections ahead for the whole cluster with the first cluster that asks for it.

import { createRequire } from 'node:module';
import type { ThreadLocalCluster } from '../upstream/thread_local_cluster.ts';
import type { PredictivePreconnect } from './predictive_preconnect.ts';

const require = createRequire(import.meta.url);

/** Undefined where `ratio` asks for no more than there is. */
export function createPredictivePreconnect(
  cluster: ThreadLocalCluster,
  ratio: number,
): PredictivePreconnect | undefined {
  if (ratio <= 1) return undefined;
  const { PredictivePreconnect } =
    require('./predictive_preconnect.ts') as typeof import('./predictive_preconnect.ts');
  return new PredictivePreconnect(cluster, ratio);
}
