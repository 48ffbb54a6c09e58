// Many resource types over one stream (ADS), or one type over its own. The order of requests is Envoy's: nothing is sent
// while a response is being applied, so that the clusters of one CDS response ask for their endpoints in one request.
// Envoy: source/extensions/config_subscription/grpc/xds_mux/grpc_mux_impl.cc.

import { logger } from '../../common/log.ts';
import type { JitteredExponentialBackOff } from './backoff.ts';
import type { ConfigWatch } from './config_watch.ts';
import type { ControlPlaneStats } from './control_plane_stats.ts';
import type { GrpcChannel } from './grpc_channel.ts';
import { GrpcStream } from './grpc_stream.ts';
import type { ResourceType } from './resource_types.ts';
import { resourceType } from './resource_types.ts';
import type { StreamSnapshot } from './stream_state.ts';
import type { Subscription } from './subscription.ts';
import type { TokenBucket } from './token_bucket.ts';
import type { Dialect, TypeState } from './type_state.ts';

const log = logger('config');

export interface GrpcMuxOptions<Request extends object, Response> {
  readonly dialect: Dialect<Request, Response>;
  readonly channel: GrpcChannel;
  /** The full method path. */
  readonly method: string;
  /** envoy.config.core.v3.Node. */
  readonly node: object;
  readonly setNodeOnFirstMessageOnly: boolean;
  readonly backOff: JitteredExponentialBackOff;
  /** Undefined where no limit was configured. */
  readonly rateLimit: TokenBucket | undefined;
  readonly stats: ControlPlaneStats;
}

export class GrpcMux<Request extends object, Response> {
  readonly #options: GrpcMuxOptions<Request, Response>;
  readonly #stream: GrpcStream;
  readonly #states = new Map<string, TypeState<Request, Response>>();
  /** The states in the order of their requests. */
  #ordered: readonly TypeState<Request, Response>[] = [];
  #flushScheduled = false;
  #rateLimitTimer: NodeJS.Timeout | undefined;
  #nodeSent = false;
  #closed = false;
  #connectedAt: number | undefined;
  #streams = 0;
  #requestsSent = 0;
  #lastDisconnect: string | undefined;
  #controlPlane = '';

  constructor(options: GrpcMuxOptions<Request, Response>) {
    this.#options = options;
    const { channel, method, backOff } = options;
    this.#stream = new GrpcStream(channel, method, backOff, {
      onStreamStarted: () => this.#onStreamStarted(),
      onConnected: () => this.#onConnected(),
      onMessage: (bytes) => this.#onMessage(bytes),
      onStreamClosed: (details) => this.#onStreamClosed(details),
    });
  }

  /** Sends nothing before the call stack unwinds. */
  subscribe(type: ResourceType, names: ReadonlySet<string> | undefined, watch: ConfigWatch): Subscription {
    const { watches } = this.#state(type);
    watch.asked();
    watches.set(watch, names);
    return {
      updateResourceInterest: (replacement) => {
        watch.asked();
        watches.set(watch, replacement);
      },
      close: () => {
        watches.delete(watch);
        watch.close();
      },
    };
  }

  get snapshot(): StreamSnapshot {
    return {
      target: this.#options.channel.target.name,
      method: this.#options.method,
      dialect: this.#options.dialect.name,
      connected: this.#connectedAt !== undefined,
      connectedAt: this.#connectedAt,
      streams: this.#streams,
      lastDisconnect: this.#lastDisconnect,
      controlPlane: this.#controlPlane,
      requestsSent: this.#requestsSent,
      types: this.#ordered.map((state) => state.snapshot),
    };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#rateLimitTimer);
    this.#stream.close();
    this.#options.stats.release();
    for (const state of this.#ordered) state.close();
  }

  #state(type: ResourceType): TypeState<Request, Response> {
    const existing = this.#states.get(type.typeUrl);
    if (existing !== undefined) return existing;
    const state = this.#options.dialect.createState(type, () => this.#scheduleFlush());
    this.#states.set(type.typeUrl, state);
    this.#ordered = [...this.#states.values()].sort((a, b) => a.type.order - b.type.order);
    return state;
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#closed) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#closed || this.#rateLimitTimer !== undefined) return;
    if (!this.#stream.open) {
      if (this.#ordered.some((state) => state.pending)) this.#stream.start();
      return;
    }
    for (const state of this.#ordered) {
      while (state.pending) {
        if (!this.#takeToken()) return;
        this.#send(state.takeRequest());
      }
    }
    this.#options.stats.pendingRequests(0);
  }

  #takeToken(): boolean {
    const { rateLimit, stats } = this.#options;
    if (rateLimit === undefined || rateLimit.consume()) return true;
    stats.rateLimitEnforced();
    stats.pendingRequests(this.#ordered.filter((state) => state.pending).length);
    this.#rateLimitTimer = setTimeout(() => {
      this.#rateLimitTimer = undefined;
      this.#flush();
    }, rateLimit.nextTokenMs());
    return false;
  }

  #send(request: Request): void {
    const { dialect, node, setNodeOnFirstMessageOnly } = this.#options;
    const withNode = !(setNodeOnFirstMessageOnly && this.#nodeSent);
    this.#nodeSent = true;
    this.#requestsSent++;
    this.#stream.send(dialect.encode({ ...request, node: withNode ? node : undefined }));
  }

  #onStreamStarted(): void {
    this.#streams++;
    this.#nodeSent = false;
    for (const state of this.#ordered) state.onStreamReset();
    this.#flush();
  }

  #onConnected(): void {
    this.#connectedAt = Date.now();
    this.#options.stats.connected(true);
  }

  #onMessage(bytes: Uint8Array): void {
    const { dialect, channel, stats } = this.#options;
    const response = dialect.decode(bytes);
    const { typeUrl, controlPlane } = dialect.head(response);
    if (controlPlane !== this.#controlPlane) {
      this.#controlPlane = controlPlane;
      stats.identifier(controlPlane);
    }
    const state = this.#states.get(resourceType(typeUrl).typeUrl);
    if (state === undefined) {
      log.warning(
        `ignoring a response of ${channel.target.name} of type ${typeUrl}, which has no subscribers`,
      );
      return;
    }
    const error = state.onResponse(response);
    if (error !== undefined) log.warning(`gRPC config for ${typeUrl} rejected: ${error}`);
    this.#scheduleFlush();
  }

  #onStreamClosed(details: string): void {
    this.#connectedAt = undefined;
    this.#lastDisconnect = details;
    clearTimeout(this.#rateLimitTimer);
    this.#rateLimitTimer = undefined;
    this.#options.stats.connected(false);
    for (const state of this.#ordered) state.watches.failed('connection', details);
  }
}
