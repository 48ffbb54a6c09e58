// What people may see of an xDS stream: who answers, what was asked, and how each answer was taken.
// Read by the admin and the dashboard; written by the muxes.

/** One type on one stream. Times are ms since 1970. */
export interface TypeStateSnapshot {
  readonly typeUrl: string;
  readonly wildcard: boolean;
  readonly names: readonly string[];
  /** Of the last response that was accepted. */
  readonly version: string;
  /** Of the last response on this stream; '' before one. */
  readonly nonce: string;
  readonly responses: number;
  readonly acks: number;
  readonly nacks: number;
  readonly lastAckAt: number | undefined;
  readonly lastNackAt: number | undefined;
  /** The `error_detail` of the last NACK; undefined once a later response was accepted. */
  readonly lastError: string | undefined;
}

export interface StreamSnapshot {
  /** The cluster or target that the stream goes to, e.g. `xds-grpc`. */
  readonly target: string;
  /** `/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources` or another method. */
  readonly method: string;
  readonly dialect: 'sotw' | 'delta';
  readonly connected: boolean;
  readonly connectedAt: number | undefined;
  /** Streams opened since the start. */
  readonly streams: number;
  /** Why the last stream ended. */
  readonly lastDisconnect: string | undefined;
  /** control_plane.identifier of the last response. */
  readonly controlPlane: string;
  readonly requestsSent: number;
  readonly types: readonly TypeStateSnapshot[];
}

/** Counts how the responses of one type were taken. */
export class AckHistory {
  #responses = 0;
  #acks = 0;
  #nacks = 0;
  #lastAckAt: number | undefined;
  #lastNackAt: number | undefined;
  #lastError: string | undefined;

  /** `error` is undefined for an ACK. */
  record(error: string | undefined): void {
    this.#responses++;
    this.#lastError = error;
    if (error === undefined) {
      this.#acks++;
      this.#lastAckAt = Date.now();
    } else {
      this.#nacks++;
      this.#lastNackAt = Date.now();
    }
  }

  get snapshot(): Pick<
    TypeStateSnapshot,
    'responses' | 'acks' | 'nacks' | 'lastAckAt' | 'lastNackAt' | 'lastError'
  > {
    return {
      responses: this.#responses,
      acks: this.#acks,
      nacks: this.#nacks,
      lastAckAt: this.#lastAckAt,
      lastNackAt: this.#lastNackAt,
      lastError: this.#lastError,
    };
  }
}
