// /drain_listeners: at once the listen sockets close and open connections are asked to go; `graceful` first asks for the
// drain time while new connections still come in. Envoy: source/server/admin/listeners_handler.cc, drain_manager_impl.cc.

import type { Supervisor } from '../supervisor/supervisor.ts';

export interface DrainRequest {
  readonly inboundOnly: boolean;
  readonly graceful: boolean;
  /** With `graceful`: the listeners stay open after the drain time. */
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
    if (!graceful) {
      this.#supervisor.drain(scope, false, true);
      return;
    }
    // A second graceful drain does not begin anew.
    if (this.#sequence !== undefined) return;
    this.#supervisor.drain(scope, true, false);
    this.#sequence = setTimeout(() => {
      if (!skipExit) this.#supervisor.drain(scope, true, true);
    }, this.#drainTimeMs);
    this.#sequence.unref();
  }

  close(): void {
    clearTimeout(this.#sequence);
  }
}
