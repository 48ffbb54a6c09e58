// The admin listener. Express is loaded when the first request comes: an idle proxy that nobody asks does without its memory.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Address } from '../../api/stream_info.ts';
import { logger } from '../../common/log.ts';
import { ipAddress, pipeAddress } from '../../common/network/address.ts';
import { AdminStats } from './admin_stats.ts';
import type { AdminContext } from './context.ts';

const log = logger('admin');

export class AdminServer {
  readonly #context: AdminContext;
  readonly #server: Server;
  #app: Promise<(request: IncomingMessage, response: ServerResponse) => void> | undefined;

  constructor(context: AdminContext) {
    this.#context = context;
    // Not by import: an ES module that imports node:http reads all its exports, and one of them loads 17 MB of undici.
    this.#server = process.getBuiltinModule('node:http').createServer((request, response) => {
      this.#app ??= import('./app.ts').then(({ adminApp }) => adminApp(this.#context));
      this.#app.then(
        (app) => app(request, response),
        (error: Error) => response.destroy(error),
      );
    });
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

  /** Takes no more requests, ends idle connections, lets answers finish. */
  close(): Promise<void> {
    this.#server.closeIdleConnections();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}
