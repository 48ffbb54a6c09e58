// /drain_listeners: open connections are asked to go and the listen sockets close, at once or (`graceful`) after the drain
// time, while new connections still come in. Envoy: source/server/admin/listeners_handler.cc, drain_manager_impl.cc.

import type { Supervisor } from '../supervisor/supervisor.ts';

export interface DrainRequest {
  readonly inboundOnly: boolean;
  readonly graceful: boolean;
  /** The listeners stay open, at once and after the drain time. */
  readonly skipExit: boolean;
}

export class ListenerDrain {
  readonly #supervisor: Supervisor;
  readonly #drainTimeMs: number;
  #sequence: NodeJS.Timeout | undefined;

  constructor(supervisor: Supervisor, drainTimeMs: number) {
    this.#supervisor = supervisor;
    this.#drainTimeMs = drainTimeMs;
  }

  start({ inboundOnly, graceful, skipExit }: DrainRequest): void {
    const scope = inboundOnly ? 'inboundonly' : 'all';
    if (skipExit) {
      this.#supervisor.drain(scope, true, false);
    } else if (!graceful) {
      this.#supervisor.drain(scope, false, true);
    } else if (this.#sequence === undefined) {
      // A second graceful drain does not begin anew.
      this.#supervisor.drain(scope, true, false);
      this.#sequence = setTimeout(() => this.#supervisor.drain(scope, true, true), this.#drainTimeMs);
      this.#sequence.unref();
    }
  }

  close(): void {
    clearTimeout(this.#sequence);
  }
}
