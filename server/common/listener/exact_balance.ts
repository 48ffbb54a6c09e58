// connection_balance_config.exact_balance: every new connection goes to the worker that has the fewest of the listener. The
// numbers are counted by all workers together. Envoy: ExactConnectionBalancerImpl in source/common/network/connection_balancer_impl.cc.

import type { Listener } from '../../../xds-protos/generated/envoy/config/listener/v3.ts';
import type { FactoryContext } from '../../api/registry.ts';
import type { SharedCounter } from '../../api/shared_counter.ts';

/** One worker as the others see it. */
export interface BalancedWorker {
  /** Versions of the listener that take connections there; it is passed over while there is none. */
  readonly present: SharedCounter;
  /** Connections of all versions of the listener, and sockets on their way to the worker. */
  readonly connections: SharedCounter;
}

/** By index of the worker. Undefined where connections are left where the kernel puts them. */
export type ExactBalance = readonly BalancedWorker[];

export function compileExactBalance(
  { name, connection_balance_config: config }: Listener,
  statName: string,
  context: FactoryContext,
): ExactBalance | undefined {
  const { concurrency } = context.server;
  if (config?.exact_balance === undefined || concurrency === 1) return undefined;
  const prefix = `exact_balance.${name || statName}`;
  return Array.from({ length: concurrency }, (_, index) => ({
    present: context.sharedCounter(`${prefix}.${index}.present`),
    connections: context.sharedCounter(`${prefix}.${index}.connections`),
  }));
}

/** Chooses the worker with the fewest, the first of several, and counts the connection for it. `own`: for want of any. */
export function chooseWorker(workers: ExactBalance, own: number): number {
  for (;;) {
    let chosen = -1;
    let fewest = 0;
    for (let index = 0; index < workers.length; index++) {
      const { present, connections } = workers[index];
      const { value } = connections;
      if (present.value === 0 || (chosen >= 0 && value >= fewest)) continue;
      chosen = index;
      fewest = value;
    }
    if (chosen < 0) {
      chosen = own;
      fewest = workers[own].connections.value;
    }
    // Another worker may have chosen the same one meanwhile.
    if (workers[chosen].connections.offer(fewest)) return chosen;
  }
}
