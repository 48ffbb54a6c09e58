// Looks at MongoDB traffic on its way, for statistics; can slow queries down. Bytes pass untouched.
// Envoy: source/extensions/filters/network/mongo_proxy/proxy.cc.

import {
  type ConnectionEvent,
  type NetworkFilter,
  type NetworkFilterConfig,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../../../api/network/filter.ts';
import type { Runtime } from '../../../../api/runtime.ts';
import { monotonicNow } from '../../../../common/event/dispatcher.ts';
import { Timer, type TimerOwner } from '../../../../common/event/timer.ts';
import { setDynamicMetadata } from '../../../../common/stream_info/stream_info.ts';
import { MongoDecoder, type MongoMessage, type QueryMessage, type ReplyMessage } from './codec.ts';
import type { MongoStats } from './mongo_stats.ts';
import { type QueryInfo, queryInfo } from './query_info.ts';

const NAMESPACE = 'envoy.filters.network.mongo_proxy';
/** OP_QUERY flags. */
const TAILABLE_CURSOR = 1 << 1;
const NO_CURSOR_TIMEOUT = 1 << 4;
const AWAIT_DATA = 1 << 5;
const EXHAUST = 1 << 6;
/** OP_REPLY flags. */
const CURSOR_NOT_FOUND = 1 << 0;
const QUERY_FAILURE = 1 << 1;
/** Queries without an answer that are remembered at most; later ones are counted but not timed. */
const MAX_ACTIVE_QUERIES = 10_000;

export interface MongoProxyOptions {
  readonly stats: MongoStats;
  readonly runtime: Runtime;
  readonly emitDynamicMetadata: boolean;
  /** Undefined: no delays. */
  readonly delay:
    | { readonly ms: number; readonly numerator: number; readonly denominator: 100 | 10_000 | 1_000_000 }
    | undefined;
  /** Is the listener draining? */
  draining(): boolean;
}

interface ActiveQuery {
  readonly info: QueryInfo;
  readonly start: number;
}

export class MongoProxy implements NetworkFilter, TimerOwner {
  readonly #options: MongoProxyOptions;
  readonly #active = new Map<number, ActiveQuery>();
  /** Undefined once bytes came that are not understood. */
  #decoders: { readonly read: MongoDecoder; readonly write: MongoDecoder } | undefined;
  #callbacks: ReadFilterCallbacks | undefined = undefined;
  #delay: Timer | undefined = undefined;
  #drainClose: Timer | undefined = undefined;
  #operations: Record<string, string[]> = {};
  readonly #take = (message: MongoMessage): boolean => this.#onMessage(message);

  constructor(options: MongoProxyOptions) {
    this.#options = options;
    this.#decoders = { read: new MongoDecoder(), write: new MongoDecoder() };
  }

  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    this.#callbacks = callbacks;
    callbacks.connection.addConnectionCallbacks({ onEvent: (event) => this.#onEvent(event) });
  }

  onData(bytes: Uint8Array, start: number, end: number): NetworkFilterStatus {
    this.#decode('read', bytes, start, end);
    return this.#delay === undefined ? NetworkFilterStatus.Continue : NetworkFilterStatus.StopIteration;
  }

  onWrite(bytes: Uint8Array, start: number, end: number): NetworkFilterStatus {
    this.#decode('write', bytes, start, end);
    return NetworkFilterStatus.Continue;
  }

  #decode(direction: 'read' | 'write', bytes: Uint8Array, start: number, end: number): void {
    const { stats, runtime, emitDynamicMetadata } = this.#options;
    if (this.#decoders === undefined || !runtime.featureEnabled('mongo.proxy_enabled', 100, 100, 0)) return;
    this.#operations = {};
    const good = this.#decoders[direction].decode(bytes, start, end, this.#take);
    if (!good) {
      stats.count('decoding_error');
      this.#decoders = undefined;
    }
    if (emitDynamicMetadata) {
      const { streamInfo } = this.#callbacks!.connection;
      streamInfo.dynamicMetadata?.delete(NAMESPACE);
      setDynamicMetadata(streamInfo, NAMESPACE, this.#operations);
    }
  }

  /** False when the message makes no sense. */
  #onMessage(message: MongoMessage): boolean {
    if (message.type === 'reply') {
      this.#onReply(message);
      return true;
    }
    this.#injectDelay();
    this.#options.stats.count(`op_${message.type}`);
    if (message.type === 'insert') this.#note(message.collection, 'insert');
    return message.type === 'query' ? this.#onQuery(message) : true;
  }

  #onQuery(message: QueryMessage): boolean {
    const { stats } = this.#options;
    this.#note(message.collection, 'query');
    if (message.flags & TAILABLE_CURSOR) stats.count('op_query_tailable_cursor');
    if (message.flags & NO_CURSOR_TIMEOUT) stats.count('op_query_no_cursor_timeout');
    if (message.flags & AWAIT_DATA) stats.count('op_query_await_data');
    if (message.flags & EXHAUST) stats.count('op_query_exhaust');
    const info = queryInfo(message);
    if (info === undefined) return false;
    stats.query(info);
    if (this.#active.size < MAX_ACTIVE_QUERIES && !this.#active.has(message.requestId)) {
      this.#active.set(message.requestId, { info, start: monotonicNow() });
      stats.active(1);
    }
    return true;
  }

  #onReply(message: ReplyMessage): void {
    const { stats, runtime, draining } = this.#options;
    stats.count('op_reply');
    if (message.cursorId !== 0n) stats.count('op_reply_valid_cursor');
    if (message.flags & CURSOR_NOT_FOUND) stats.count('op_reply_cursor_not_found');
    if (message.flags & QUERY_FAILURE) stats.count('op_reply_query_failure');
    const query = this.#active.get(message.responseTo);
    if (query !== undefined) {
      this.#active.delete(message.responseTo);
      stats.active(-1);
      stats.reply(query.info, message, Math.trunc(monotonicNow() - query.start));
    }
    if (this.#active.size > 0 || this.#drainClose !== undefined || !draining()) return;
    if (!runtime.featureEnabled('mongo.drain_close_enabled', 100, 100, 0)) return;
    stats.count('cx_drain_close');
    // This reply is still on its way to the socket: close in the next turn.
    this.#drainClose = new Timer(this);
    this.#drainClose.enable(0, monotonicNow());
  }

  #injectDelay(): void {
    const { delay, runtime, stats } = this.#options;
    if (delay === undefined || this.#delay !== undefined) return;
    const random = Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
    if (
      !runtime.featureEnabled('mongo.fault.fixed_delay.percent', delay.numerator, delay.denominator, random)
    )
      return;
    const ms = runtime.getInteger('mongo.fault.fixed_delay.duration_ms', delay.ms);
    if (ms <= 0) return;
    stats.count('delays_injected');
    this.#delay = new Timer(this);
    this.#delay.enable(ms, monotonicNow());
    // Nothing may come meanwhile: it would go on without being looked at.
    this.#callbacks!.connection.readDisable(true);
  }

  onTimeout(timer: Timer): void {
    const { connection } = this.#callbacks!;
    if (timer === this.#drainClose) {
      connection.close('FlushWrite');
      return;
    }
    this.#delay = undefined;
    connection.readDisable(false);
    this.#callbacks!.continueReading();
  }

  #note(collection: string, operation: string): void {
    if (this.#options.emitDynamicMetadata) (this.#operations[collection] ??= []).push(operation);
  }

  #onEvent(event: ConnectionEvent): void {
    if (event === 'Connected' || this.#active.size === 0) return;
    const side = event === 'RemoteClose' ? 'remote' : 'local';
    this.#options.stats.count(`cx_destroy_${side}_with_active_rq`);
  }

  onDestroy(): void {
    this.#delay?.disable();
    this.#drainClose?.disable();
    this.#options.stats.active(-this.#active.size);
    this.#active.clear();
    this.#decoders = undefined;
  }
}

export class MongoProxyConfig implements NetworkFilterConfig {
  readonly isTerminal = false;
  readonly #options: MongoProxyOptions;

  constructor(options: MongoProxyOptions) {
    this.#options = options;
  }

  createFilter(): NetworkFilter {
    return new MongoProxy(this.#options);
  }
}
