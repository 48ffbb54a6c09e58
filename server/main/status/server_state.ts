// How far the server is and whether it wants traffic: what /ready, /server_info and `server.state` say.
// Envoy: source/server/utils.cc (Utility::serverState).

import type { ServerInfo_State } from '../../../xds-protos/generated/envoy/admin/v3.ts';

/** The configuration store, as far as it is asked here. */
export interface InitProgress {
  readonly clustersInitialized: boolean;
}

export class ServerState {
  /** As `Date.now()`. */
  readonly startedAt = Date.now();
  /** False after /healthcheck/fail: it serves on, but asks for no more traffic. */
  live = true;
  /** The workers listen. */
  serving = false;
  readonly #progress: InitProgress;

  constructor(progress: InitProgress) {
    this.#progress = progress;
  }

  /** ms since the start. */
  get uptimeMs(): number {
    return Date.now() - this.startedAt;
  }

  get current(): ServerInfo_State {
    if (!this.#progress.clustersInitialized) return 'PRE_INITIALIZING';
    if (!this.serving) return 'INITIALIZING';
    return this.live ? 'LIVE' : 'DRAINING';
  }
}
