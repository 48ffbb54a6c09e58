// The stats of the admin port's own connections and requests, `http.admin.` and `listener.admin.`, as any listener has them.
// Envoy: source/server/admin/admin.cc.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { StatBlock, StatStore } from '../../api/stats.ts';
import { HTTP1_CODEC_STATS } from '../../common/stats/families/codec.ts';
import { HTTP_LISTENER_STATS, HTTP_STATS } from '../../common/stats/families/http.ts';
import { ADMIN_LISTENER_STATS, PER_HANDLER_LISTENER_STATS } from '../../common/stats/families/listener.ts';
import { DownstreamResponseCodes } from '../../common/stats/response_code_stats.ts';

const HTTP = HTTP_STATS.offset;
const LISTENER = ADMIN_LISTENER_STATS.offset;
const HANDLER = PER_HANDLER_LISTENER_STATS.offset;

export class AdminStats {
  readonly #http: StatBlock<keyof typeof HTTP>;
  readonly #listener: StatBlock<keyof typeof LISTENER>;
  readonly #handler: StatBlock<keyof typeof HANDLER>;
  readonly #codes: DownstreamResponseCodes;

  /** Bytes of open connections that are counted already. */
  readonly #counted = new WeakMap<Socket, { readonly bytesRead: number; readonly bytesWritten: number }>();

  constructor(store: StatStore) {
    this.#http = store.block(HTTP_STATS, 'http.admin.');
    this.#listener = store.block(ADMIN_LISTENER_STATS, 'listener.admin.');
    // All codecs of clients share these, and the admin port's is there first.
    store.block(HTTP1_CODEC_STATS, 'http1.');
    this.#handler = store.block(PER_HANDLER_LISTENER_STATS, 'listener.admin.main_thread.');
    const listenerHttp = store.block(HTTP_LISTENER_STATS, 'listener.admin.http.admin.');
    this.#codes = new DownstreamResponseCodes(this.#http, listenerHttp);
  }

  /** Counts what comes to `server` from now on. */
  observe(server: Server): void {
    server.on('connection', (socket) => this.#onConnection(socket));
    // Before whoever answers.
    server.prependListener('request', (request, response) => this.#onRequest(request, response));
  }

  #onConnection(socket: Socket): void {
    const openedAt = performance.now();
    const http = this.#http;
    const listener = this.#listener;
    const handler = this.#handler;
    this.#connections(1);
    add(http, HTTP.downstream_cx_total, 1);
    add(http, HTTP.downstream_cx_http1_total, 1);
    add(listener, LISTENER.downstream_cx_total, 1);
    add(handler, HANDLER.downstream_cx_total, 1);
    let remote = false;
    socket.once('end', () => {
      remote = true;
    });
    socket.once('close', () => {
      this.#connections(-1);
      add(http, HTTP.downstream_cx_destroy, 1);
      add(http, remote ? HTTP.downstream_cx_destroy_remote : HTTP.downstream_cx_destroy_local, 1);
      this.#countBytes(socket);
      add(listener, LISTENER.downstream_cx_destroy, 1);
      const ms = performance.now() - openedAt;
      http.record(HTTP.downstream_cx_length_ms, ms);
      listener.record(LISTENER.downstream_cx_length_ms, ms);
    });
  }

  #connections(change: 1 | -1): void {
    add(this.#http, HTTP.downstream_cx_active, change);
    add(this.#http, HTTP.downstream_cx_http1_active, change);
    add(this.#listener, LISTENER.downstream_cx_active, change);
    add(this.#handler, HANDLER.downstream_cx_active, change);
  }

  /** What came and went since the last time. */
  #countBytes(socket: Socket): void {
    const counted = this.#counted.get(socket);
    const { bytesRead, bytesWritten } = socket;
    add(this.#http, HTTP.downstream_cx_rx_bytes_total, bytesRead - (counted?.bytesRead ?? 0));
    add(this.#http, HTTP.downstream_cx_tx_bytes_total, bytesWritten - (counted?.bytesWritten ?? 0));
    this.#counted.set(socket, { bytesRead, bytesWritten });
  }

  #onRequest({ socket }: IncomingMessage, response: ServerResponse): void {
    const startedAt = performance.now();
    const http = this.#http;
    add(http, HTTP.downstream_rq_total, 1);
    add(http, HTTP.downstream_rq_http1_total, 1);
    add(http, HTTP.downstream_rq_active, 1);
    response.once('close', () => {
      this.#countBytes(socket);
      add(http, HTTP.downstream_rq_active, -1);
      if (!response.writableFinished) {
        add(http, HTTP.downstream_rq_rx_reset, 1);
        return;
      }
      this.#codes.charge(response.statusCode);
      http.record(HTTP.downstream_rq_time, performance.now() - startedAt);
    });
  }
}

function add({ values, base }: StatBlock, offset: number, by: number): void {
  values[base + offset] = (values[base + offset] as number) + by;
}
