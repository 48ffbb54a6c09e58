// How far the server is and whether it wants traffic: what /ready, /server_info and `server.state` say.
// Envoy: source/server/utils.cc (Utility::serverState).

import type { ServerInfo_State } from '../../../xds-protos/generated/envoy/admin/v3.ts';

export class ServerState {
  /** As `Date.now()`. */
  readonly startedAt = Date.now();
  /** False after /healthcheck/fail: it serves on, but asks for no more traffic. */
  live = true;
  #progress: 'starting' | 'initializing' | 'initialized' = 'starting';

  get initialized(): boolean {
    return this.#progress === 'initialized';
  }

  /** ms since the start. */
  get uptimeMs(): number {
    return Date.now() - this.startedAt;
  }

  /** Listeners wait for what they need. */
  initializing(): void {
    this.#progress = 'initializing';
  }

  /** The workers listen. */
  finished(): void {
    this.#progress = 'initialized';
  }

  get current(): ServerInfo_State {
    if (this.#progress === 'starting') return 'PRE_INITIALIZING';
    if (this.#progress === 'initializing') return 'INITIALIZING';
    return this.live ? 'LIVE' : 'DRAINING';
  }
}
