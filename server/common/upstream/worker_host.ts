// What one worker alone knows of a host, as it tells the main thread that asks.

import type { Address } from '../../api/stream_info.ts';

export interface WorkerHost {
  readonly cluster: string;
  readonly address: Address;
  readonly hostname: string;
  /** Counts of its HostLatency; undefined before its first answer. */
  readonly latency: Uint16Array | undefined;
  /** By offset of HostSlot, of a host that this worker has found by itself; undefined of one that all know. */
  readonly numbers: Int32Array | undefined;
}
