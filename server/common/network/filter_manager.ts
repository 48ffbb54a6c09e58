// The network filter chain of one connection: bytes walk the read filters in order, what is written walks the write
// filters backwards. The usual chain is one terminal filter; then it is the connection's reader itself and nothing stands
// between socket and codec. Follows Envoy's source/common/network/filter_manager_impl.cc.

import {
  type ConnectionCallbacks,
  type ConnectionEvent,
  type NetworkFilter,
  type NetworkFilterConfig,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
  type WriteFilterCallbacks,
} from '../../api/network/filter.ts';
import type { ByteReader, ByteWriter, SocketConnection } from './connection.ts';

/** Bytes held at most for a filter that stopped the chain, where the connection has no buffer limit of its own. */
const HELD_BYTES_LIMIT = 1_048_576;

const NO_FILTERS: readonly ActiveNetworkFilter[] = [];

export class NetworkFilterManager implements ByteReader, ByteWriter, ConnectionCallbacks {
  private readonly connection: SocketConnection;
  private readonly filters: readonly ActiveNetworkFilter[];
  private readonly writeFilters: readonly ActiveNetworkFilter[];
  /** Filters before this one have done their `onNewConnection`. */
  private initialized = 0;
  private held: Uint8Array | undefined = undefined;
  private heldFor = 0;
  private heldEnd = false;
  private destroyed = false;

  /** Takes what all filters let pass: the codec of an upstream connection. */
  private readonly terminal: ByteReader | undefined;

  private constructor(
    connection: SocketConnection,
    filters: readonly ActiveNetworkFilter[],
    terminal: ByteReader | undefined,
  ) {
    this.connection = connection;
    this.filters = filters;
    this.terminal = terminal;
    const writes = filters.some((one) => one.filter.onWrite !== undefined);
    this.writeFilters = writes
      ? filters.filter((one) => one.filter.onWrite !== undefined).reverse()
      : NO_FILTERS;
  }

  /**
   * Makes the filters of a connection, attaches them as its reader and runs `onNewConnection`.
   * Returns the last filter. `terminal` stands behind filters that have no terminal one among them (Cluster.filters).
   */
  static install(
    connection: SocketConnection,
    configs: readonly NetworkFilterConfig[],
    terminal?: ByteReader,
  ): NetworkFilter | undefined {
    const filters = configs.map(
      (config, index) => new ActiveNetworkFilter(connection, config.createFilter(), index),
    );
    const manager = new NetworkFilterManager(connection, filters, terminal);
    for (const one of filters) {
      one.manager = manager;
      one.filter.initializeReadFilterCallbacks?.(one);
      one.filter.initializeWriteFilterCallbacks?.(one);
    }
    connection.addConnectionCallbacks(manager);
    const only = filters.length === 1 ? filters[0].filter : undefined;
    connection.reader = only?.onData !== undefined && configs[0].isTerminal ? filters[0] : manager;
    if (manager.writeFilters.length > 0) connection.writer = manager;
    manager.initialize();
    return filters.at(-1)?.filter;
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    if (this.held !== undefined || this.initialized < this.filters.length) {
      this.hold(this.held === undefined ? this.initialized : this.heldFor, bytes, start, end, endStream);
      if (this.initialized >= this.filters.length) this.resume(this.heldFor);
      return;
    }
    this.run(0, bytes, start, end, endStream);
  }

  /** Write filters, last configured first. False: a filter keeps the bytes. */
  onWrite(bytes: Uint8Array, endStream: boolean): boolean {
    for (const one of this.writeFilters) {
      if (one.filter.onWrite!(bytes, 0, bytes.length, endStream) === NetworkFilterStatus.StopIteration)
        return false;
    }
    return true;
  }

  /** A filter lets the chain go on behind it. */
  continueFrom(index: number): void {
    if (this.destroyed || this.connection.state !== 'open') return;
    if (index < this.initialized) {
      if (this.held !== undefined && this.heldFor <= index + 1) this.resume(index + 1);
      return;
    }
    this.initialized = index + 1;
    this.initialize();
    if (this.held !== undefined && this.initialized >= this.filters.length) this.resume(this.heldFor);
  }

  private initialize(): void {
    while (this.initialized < this.filters.length && this.connection.state === 'open') {
      const filter = this.filters[this.initialized].filter;
      if (filter.onNewConnection?.() === NetworkFilterStatus.StopIteration) {
        // A terminal filter that stops (tcp_proxy until it is connected) is complete: it holds its bytes back itself.
        if (
          this.initialized === this.filters.length - 1 &&
          this.terminal === undefined &&
          filter.onData !== undefined
        )
          this.initialized++;
        return;
      }
      this.initialized++;
    }
  }

  private run(from: number, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    const filters = this.filters;
    for (let i = from; i < filters.length; i++) {
      const filter = filters[i].filter;
      if (filter.onData === undefined) continue;
      const status = filter.onData(bytes, start, end, endStream);
      start += filters[i].takeConsumed();
      if (status === NetworkFilterStatus.StopIteration) {
        if (i < filters.length - 1 || this.terminal !== undefined) this.hold(i, bytes, start, end, endStream);
        return;
      }
      if (this.connection.state !== 'open') return;
    }
    this.terminal?.onData(bytes, start, end, endStream);
  }

  private hold(forFilter: number, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    const copy = Buffer.from(bytes.subarray(start, end));
    this.held = this.held === undefined || this.held.length === 0 ? copy : Buffer.concat([this.held, copy]);
    this.heldFor = forFilter;
    this.heldEnd ||= endStream;
    if (this.held.length > HELD_BYTES_LIMIT)
      this.connection.close('NoFlush', 'network_filter_buffer_overflow');
  }

  private resume(from: number): void {
    const bytes = this.held;
    if (bytes === undefined) return;
    const end = this.heldEnd;
    this.held = undefined;
    this.heldEnd = false;
    this.run(from, bytes, 0, bytes.length, end);
  }

  onEvent(event: ConnectionEvent): void {
    if (event !== 'Connected') this.destroy();
  }

  private destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.held = undefined;
    for (const one of this.filters) one.filter.onDestroy?.();
  }
}

/** A filter in its chain. A chain of one terminal filter reads through this directly: nothing stands in between. */
class ActiveNetworkFilter implements ReadFilterCallbacks, WriteFilterCallbacks, ByteReader {
  readonly connection: SocketConnection;
  readonly filter: NetworkFilter;
  private readonly index: number;
  manager: NetworkFilterManager | undefined = undefined;
  private consumed = 0;

  constructor(connection: SocketConnection, filter: NetworkFilter, index: number) {
    this.connection = connection;
    this.filter = filter;
    this.index = index;
  }

  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.filter.onData!(bytes, start, end, endStream);
  }

  continueReading(): void {
    this.manager!.continueFrom(this.index);
  }

  consume(count: number): void {
    this.consumed += count;
  }

  /** Bytes of the current `onData` that the filter kept for itself. */
  takeConsumed(): number {
    const { consumed } = this;
    this.consumed = 0;
    return consumed;
  }

  injectWriteData(bytes: Uint8Array): void {
    this.connection.injectWriteData(bytes);
  }
}
