// Stats of a TLS context: `listener.<x>.ssl.*` or `cluster.<x>.ssl.*`.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/stats (TLS statistics)

import type { X509Certificate } from 'node:crypto';
import type { Counter, StatBlock, StatStore } from '../../api/stats.ts';
import { SSL_STATS } from '../stats/families/ssl.ts';
import type { TlsConnectionInfo } from './ssl_connection_info.ts';

type SslStat = keyof typeof SSL_STATS.offset;

/** With TLS 1.3 the curve of a key decides what it signs with. RFC 8446 4.2.3. */
const ECDSA_ALGORITHMS: Readonly<Record<string, string>> = {
  prime256v1: 'ecdsa_secp256r1_sha256',
  secp384r1: 'ecdsa_secp384r1_sha384',
  secp521r1: 'ecdsa_secp521r1_sha512',
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

  /** A handshake that succeeded. */
  handshake(info: TlsConnectionInfo, reused: boolean, peer: X509Certificate | undefined): void {
    this.count('handshake');
    if (reused) this.count('session_reused');
    this.#countNamed('versions.', info.tlsVersion);
    this.#countNamed('ciphers.', info.cipher);
    if (info.group !== '') this.#countNamed('curves.', info.group);
    if (peer === undefined) this.count('no_certificate');
    const algorithm = peer && signatureAlgorithm(peer, info.tlsVersion);
    if (algorithm !== undefined) this.#countNamed('sigalgs.', algorithm);
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

/** What the peer signed with, where its key leaves no choice: node does not tell which it chose. */
function signatureAlgorithm({ publicKey }: X509Certificate, tlsVersion: string): string | undefined {
  if (publicKey.asymmetricKeyType === 'ed25519') return 'ed25519';
  if (publicKey.asymmetricKeyType !== 'ec' || tlsVersion !== 'TLSv1.3') return undefined;
  return ECDSA_ALGORITHMS[publicKey.asymmetricKeyDetails?.namedCurve ?? ''];
}
