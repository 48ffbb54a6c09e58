// Stats of a TLS context: `listener.<x>.ssl.*` or `cluster.<x>.ssl.*`.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/stats (TLS statistics)

import type { TLSSocket } from 'node:tls';
import type { Counter, StatBlock, StatStore } from '../../api/stats.ts';
import { SSL_STATS } from '../stats/families/ssl.ts';

type SslStat = keyof typeof SSL_STATS.offset;

/** OpenSSL's name of a group, and the one that Envoy counts. */
const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
  x25519: 'X25519',
};

export class SslStats {
  readonly #prefix: string;
  readonly #store: StatStore;
  readonly #block: StatBlock;
  readonly #named = new Map<string, Counter>();

  /** `prefix`: `listener.<x>.ssl.` or `cluster.<x>.ssl.`. */
  constructor(store: StatStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
    this.#block = store.block(SSL_STATS, prefix);
  }

  count(stat: SslStat): void {
    this.#block.values[this.#block.base + SSL_STATS.offset[stat]]++;
  }

  /** A handshake that succeeded. Curves are known on the client's side only. */
  handshake(socket: TLSSocket, reused: boolean, peerCertificate: boolean): void {
    this.count('handshake');
    if (reused) this.count('session_reused');
    if (!peerCertificate) this.count('no_certificate');
    this.#countNamed('versions.', socket.getProtocol() ?? '');
    this.#countNamed('ciphers.', socket.getCipher()?.name ?? '');
    const key = socket.getEphemeralKeyInfo() as { name?: string } | null;
    if (key?.name !== undefined) this.#countNamed('curves.', CURVES[key.name] ?? key.name);
  }

  #countNamed(kind: string, value: string): void {
    let counter = this.#named.get(kind + value);
    if (counter === undefined) {
      counter = this.#store.counter(this.#prefix + kind + value);
      this.#named.set(kind + value, counter);
    }
    counter.add(1);
  }
}
