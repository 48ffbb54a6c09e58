// TLS facts of a connection. The certificates are taken when the handshake ends, because the socket forgets them when it
// closes and access logs come later; what is in them is read only when somebody asks.
// Envoy: source/common/tls/connection_info_impl_base.cc.

import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { SslConnectionInfo } from '../../api/stream_info.ts';
import { parseSubjectAltNames, type SanType } from './subject_alt_name.ts';

export class TlsConnectionInfo implements SslConnectionInfo {
  readonly peerCertificateValidated: boolean;
  readonly tlsVersion: string;
  readonly cipher: string;
  readonly sni: string;
  readonly alpn: string;
  /** node does not tell it, and tickets (the usual way to resume) leave it empty. */
  readonly sessionId = '';
  readonly #peer: X509Certificate | undefined;
  readonly #local: X509Certificate | undefined;

  constructor(
    socket: TLSSocket,
    sni: string,
    peer: X509Certificate | undefined,
    local: X509Certificate | undefined,
    validated: boolean,
  ) {
    this.peerCertificateValidated = validated;
    this.tlsVersion = socket.getProtocol() ?? '';
    this.cipher = socket.getCipher()?.name ?? '';
    this.sni = sni;
    this.alpn = socket.alpnProtocol || '';
    this.#peer = peer;
    this.#local = local;
  }

  get peerCertificatePresented(): boolean {
    return this.#peer !== undefined;
  }

  get uriSanPeer(): readonly string[] {
    return names(this.#peer, 'URI');
  }

  get uriSanLocal(): readonly string[] {
    return names(this.#local, 'URI');
  }

  get dnsSanPeer(): readonly string[] {
    return names(this.#peer, 'DNS');
  }

  get dnsSanLocal(): readonly string[] {
    return names(this.#local, 'DNS');
  }

  get ipSanPeer(): readonly string[] {
    return names(this.#peer, 'IP_ADDRESS');
  }

  get ipSanLocal(): readonly string[] {
    return names(this.#local, 'IP_ADDRESS');
  }

  get emailSanPeer(): readonly string[] {
    return names(this.#peer, 'EMAIL');
  }

  get emailSanLocal(): readonly string[] {
    return names(this.#local, 'EMAIL');
  }

  get subjectPeer(): string {
    return distinguishedName(this.#peer?.subject);
  }

  get subjectLocal(): string {
    return distinguishedName(this.#local?.subject);
  }

  get issuerPeer(): string {
    return distinguishedName(this.#peer?.issuer);
  }

  get serialNumberPeer(): string {
    return this.#peer?.serialNumber.toLowerCase() ?? '';
  }

  get sha256PeerCertificateDigest(): string {
    return this.#peer?.fingerprint256.replaceAll(':', '').toLowerCase() ?? '';
  }

  get sha1PeerCertificateDigest(): string {
    return this.#peer?.fingerprint.replaceAll(':', '').toLowerCase() ?? '';
  }

  get peerCertificatePem(): string {
    return this.#peer?.toString() ?? '';
  }

  get validFromPeerMs(): number {
    return this.#peer?.validFromDate.getTime() ?? 0;
  }

  get expirationPeerMs(): number {
    return this.#peer?.validToDate.getTime() ?? 0;
  }
}

function names(certificate: X509Certificate | undefined, type: SanType): string[] {
  const all = parseSubjectAltNames(certificate?.subjectAltName);
  return all.filter((name) => name.type === type).map(({ value }) => value);
}

/** RFC 2253, most specific first: node gives one part a line in the certificate's order, escaped already. */
function distinguishedName(lines: string | undefined): string {
  if (lines === undefined || lines === '') return '';
  return lines.split('\n').reverse().join(',').replaceAll(' + ', '+');
}
