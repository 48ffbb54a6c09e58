// What the proxy answers about its streams to control planes, as /api/openapi.json describes it.

export interface XdsStream {
  readonly target: string;
  readonly method: string;
  readonly dialect: 'sotw' | 'delta';
  readonly connected: boolean;
  readonly connected_at?: number;
  readonly streams: number;
  readonly last_disconnect?: string;
  readonly control_plane?: string;
  readonly requests_sent: number;
  readonly types: readonly XdsSubscription[];
}

export interface XdsSubscription {
  readonly type_url: string;
  readonly wildcard: boolean;
  readonly names: readonly string[];
  readonly version: string;
  readonly nonce: string;
  readonly responses: number;
  readonly acks: number;
  readonly nacks: number;
  readonly last_ack_at?: number;
  readonly last_nack_at?: number;
  readonly last_error?: string;
}
