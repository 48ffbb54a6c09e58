// What the proxy answers about requests that it kept, as /api/openapi.json describes it.

export type RequestSet = 'failed' | 'slow' | 'live';

export interface RequestSummary {
  readonly id: string;
  readonly set: RequestSet;
  readonly worker: number;
  /** ms since 1970. */
  readonly at: number;
  readonly duration_ms: number;
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly protocol: string;
  readonly request_id: string;
  readonly listener: string;
  readonly filter_chain: string;
  readonly virtual_host: string;
  readonly route: string;
  readonly cluster: string;
  readonly host: string;
  /** 0: no response was begun. */
  readonly status: number;
  readonly flags: readonly string[];
  readonly details: string;
  readonly attempts: number;
  readonly bytes_received: number;
  readonly bytes_sent: number;
}

export interface Phase {
  readonly name: string;
  /** Since the request began. */
  readonly start_ms: number;
  readonly end_ms: number;
}

export interface Header {
  readonly name: string;
  readonly value: string;
}

export interface FlagExplanation {
  /** '' where it explains the details. */
  readonly flag: string;
  readonly name: string;
  readonly title: string;
  readonly reason: string;
  readonly evidence: readonly {
    readonly name: string;
    readonly value: string;
    readonly link?: { readonly kind: string; readonly name: string };
  }[];
  readonly advice: readonly string[];
  /** From the state now, which may have changed since. */
  readonly live: boolean;
}

export interface RequestDetail extends RequestSummary {
  readonly scheme: string;
  readonly upstream_authority: string;
  readonly upstream_path: string;
  readonly trace_id: string;
  readonly connection_id: number;
  readonly client: string;
  readonly local: string;
  readonly server_name: string;
  readonly tls: string;
  readonly peer: string;
  readonly route_config: string;
  readonly grpc_status: string;
  readonly termination_details: string;
  readonly transport_failure: string;
  readonly attempt_log: readonly {
    readonly number: number;
    readonly host: string;
    readonly outcome: string;
    readonly at_ms: number;
  }[];
  readonly upstream_protocol: string;
  readonly upstream_local: string;
  readonly upstream_connection_id: number;
  readonly upstream_tls: string;
  readonly upstream_peer: string;
  readonly phases: readonly Phase[];
  readonly request_headers: readonly Header[];
  readonly response_headers: readonly Header[];
  readonly truncated: boolean;
  readonly curl: string;
  readonly explanations?: readonly FlagExplanation[];
}

export interface CaptureState {
  readonly active: boolean;
  /** ms since 1970; 0 when it is not active. */
  readonly until: number;
  readonly max_per_second: number;
  readonly sample_percent: number;
  readonly seen: number;
  readonly dropped: number;
}
