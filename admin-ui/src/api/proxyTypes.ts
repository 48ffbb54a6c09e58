// What the proxy answers about itself, as /api/openapi.json and Envoy's admin protos describe it.

export interface CertificateUse {
  readonly name: string;
  readonly role: 'certificate' | 'trusted_root';
  readonly subject: string;
  readonly issuer: string;
  readonly serial_number: string;
  readonly subject_alt_names: readonly string[];
  /** '' where it is part of a resource. */
  readonly secret: string;
  readonly path: string;
  /** ms since 1970. */
  readonly valid_from: number;
  readonly expires_at: number;
  readonly used_by: readonly { readonly kind: 'listener' | 'cluster'; readonly name: string }[];
}

export interface WorkerRow {
  readonly name: string;
  readonly uptime_ms: number;
  readonly connections: number;
  readonly connections_total: number;
  /** 0 to 1. */
  readonly utilization: number;
  readonly response_ms?: number;
  readonly heap_used_bytes: number;
  readonly heap_limit_bytes: number;
}

export interface ConnectionRow {
  readonly id: number;
  readonly worker: number;
  readonly listener: string;
  readonly filter_chain: string;
  /** The peer's address. */
  readonly name: string;
  readonly local: string;
  readonly protocol: string;
  readonly tls?: { readonly version: string; readonly sni: string; readonly peer_subject: string };
  readonly age_ms: number;
  readonly idle_ms: number;
  readonly bytes_received: number;
  readonly bytes_sent: number;
  readonly active_streams: number;
  readonly cluster: string;
  readonly draining: boolean;
}

export interface Session {
  readonly role: 'none' | 'viewer' | 'admin';
  readonly can_write: boolean;
}

/** Envoy's /memory: bytes as text. */
export interface Memory {
  readonly allocated: string;
  readonly heap_size: string;
}

/** Envoy's /runtime. */
export interface RuntimeAnswer {
  readonly layers: readonly string[];
  readonly entries: Readonly<
    Record<string, { readonly layer_values: readonly string[]; readonly final_value: string }>
  >;
}
