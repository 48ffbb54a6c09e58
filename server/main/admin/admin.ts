// The admin listener. Express is loaded when the first request comes: an idle proxy that nobody asks does without its memory.

import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Address } from '../../api/stream_info.ts';
import { nodeHttp } from '../../common/builtins.ts';
import { logger } from '../../common/log.ts';
import { ipAddress, pipeAddress } from '../../common/network/address.ts';
import { FolderWatch } from '../secret/folder_watch.ts';
import { AdminStats } from './admin_stats.ts';
import type { AdminContext } from './context.ts';
import type { AdminTls } from './credentials.ts';

const log = logger('admin');

/**
 * Bytes of a request's head, as Envoy's connection manager takes (max_request_headers_kb is 60), and ms for its head and
 * for all of it. The check runs often enough to hold them.
 */
const LIMITS = {
  maxHeaderSize: 60 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
};
/** People, their browsers and monitoring; each may hold a few megabytes of an answer. */
const MAX_CONNECTIONS = 512;

export class AdminServer {
  readonly #context: AdminContext;
  readonly #server: Server;
  #tlsFiles: FolderWatch | undefined;
  #app: Promise<(request: IncomingMessage, response: ServerResponse) => void> | undefined;

  constructor(context: AdminContext) {
    this.#context = context;
    const { tls } = context.access.credentials;
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#app ??= import('./app.ts').then(({ adminApp }) => adminApp(this.#context));
      this.#app.then(
        (app) => app(request, response),
        (error: Error) => response.destroy(error),
      );
    };
    this.#server =
      tls === undefined ? nodeHttp().createServer(LIMITS, answer) : this.#createTlsServer(tls, answer);
    this.#server.maxConnections = MAX_CONNECTIONS;
    // Who keeps connections open without asking anything does not keep others out.
    this.#server.on('drop', () => this.#server.closeIdleConnections());
    new AdminStats(context.ownStats).observe(this.#server);
    // Monitoring keeps its connections for long; node's 5 s would cut them between two scrapes. Envoy's idle timeout: 1 h.
    this.#server.keepAliveTimeout = 3_600_000;
  }

  /** Listens; resolves with the address in use. Rejects with what `listen` failed with. */
  listen(address: Address): Promise<Address> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      const listening = (): void => {
        this.#server.off('error', reject);
        // Failing to accept (no file descriptors left) must not end the proxy.
        this.#server.on('error', (error) => log.error(`admin listener: ${error.message}`));
        const bound = this.#server.address() as AddressInfo | string;
        resolve(typeof bound === 'string' ? pipeAddress(bound) : ipAddress(bound.address, bound.port));
      };
      if (address.ip === '') this.#server.listen({ path: address.text }, listening);
      else this.#server.listen({ host: address.ip, port: address.port }, listening);
    });
  }

  #createTlsServer(tls: AdminTls, answer: RequestListener): Server {
    // A certificate that does not hold is worth nothing, but a token may come, or a question that everybody may ask.
    const verification = { requestCert: tls.ca !== undefined, rejectUnauthorized: false };
    const server = process
      .getBuiltinModule('node:https')
      .createServer({ ...LIMITS, ...tls.read(), ...verification }, answer);
    server.on('tlsClientError', (error) => log.debug(`TLS of the admin port: ${error.message}`));
    this.#tlsFiles = new FolderWatch(tls.folders, () => {
      try {
        server.setSecureContext(tls.read());
      } catch (error) {
        log.error(`the certificate of the admin port stays: ${(error as Error).message}`);
      }
    });
    return server;
  }

  /** Takes no more requests, ends idle connections, lets answers finish. */
  close(): Promise<void> {
    this.#tlsFiles?.close();
    this.#server.closeIdleConnections();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}
