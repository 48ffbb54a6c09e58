// The configuration that serves now, for those who ask about it: what the workers were sent, and the tables that they write.

import type { Address } from '../../api/stream_info.ts';
import { listenerStatuses } from '../admin_context.ts';
import type { Control } from '../control.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import type { ConfigurationSource } from './configuration.ts';

export function liveSource(control: Control, supervisor: Supervisor): ConfigurationSource {
  const { store, server, runtime, registry } = control;
  return {
    updates: () => store.snapshot(),
    hosts: store.hostSlots.table,
    breakers: store.breakerSlots.table,
    server,
    runtime: runtime.snapshot,
    registry,
    boundAddresses: () => {
      const bound = new Map<string, Address[]>();
      for (const { name, localAddress } of listenerStatuses(control, supervisor)) {
        const before = bound.get(name);
        if (before === undefined) bound.set(name, [localAddress]);
        else before.push(localAddress);
      }
      return bound;
    },
  };
}
