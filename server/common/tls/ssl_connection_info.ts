// TLS facts of a connection. The certificates are taken when the handshake ends, because the socket forgets them when it
// closes and access logs come later; what is in them is read only when somebody asks.
// Envoy: source/common/tls/connection_info_impl_base.cc.

import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { SslConnectionInfo } from '../../api/stream_info.ts';
import { sentChain } from './certificate_path.ts';
import type { CertificateValidator } from './certificate_validator.ts';
import { integerHex } from './der.ts';
import { type SanType, subjectAltNames } from './subject_alt_name.ts';
import { type TlsSession, tlsSession } from './tls_session.ts';

export interface Certificates {
  readonly peer: X509Certificate | undefined;
  readonly local: X509Certificate | undefined;
  /** Who found the peer's good; undefined when nobody did. */
  readonly validator: CertificateValidator | undefined;
}

export class TlsConnectionInfo implements SslConnectionInfo {
  readonly tlsVersion: string;
  readonly cipher: string;
  readonly sni: string;
  readonly alpn: string;
  readonly handshakeCompleteMs: number = performance.now();
  readonly #session: TlsSession;
  readonly #certificates: Certificates;

  /** `sni`: what the client asked for. */
  constructor(socket: TLSSocket, sni: string, certificates: Certificates) {
    this.tlsVersion = socket.getProtocol() ?? '';
    this.cipher = socket.getCipher()?.name ?? '';
    this.sni = sni;
    this.alpn = socket.alpnProtocol || '';
    this.#session = tlsSession(socket);
    this.#certificates = certificates;
  }

  get group(): string {
    return this.#session.group;
  }

  get sessionId(): string {
    return this.#session.id;
  }

  get peerCertificatePresented(): boolean {
    return this.#peer !== undefined;
  }

  get peerCertificateValidated(): boolean {
    return this.#certificates.validator !== undefined;
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

  get otherNameSanPeer(): readonly string[] {
    return names(this.#peer, 'OTHER_NAME');
  }

  get otherNameSanLocal(): readonly string[] {
    return names(this.#local, 'OTHER_NAME');
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
    return this.#peer === undefined ? '' : serialNumber(this.#peer);
  }

  get sha256PeerCertificateDigest(): string {
    return this.#peer === undefined ? '' : sha256(this.#peer);
  }

  get sha1PeerCertificateDigest(): string {
    return this.#peer === undefined ? '' : sha1(this.#peer);
  }

  get serialNumbersPeerCertificates(): readonly string[] {
    return this.#chain.map(serialNumber);
  }

  get sha256PeerCertificateChainDigests(): readonly string[] {
    return this.#chain.map(sha256);
  }

  get sha1PeerCertificateChainDigests(): readonly string[] {
    return this.#chain.map(sha1);
  }

  get sha256PeerCertificateIssuerDigest(): string {
    const issuer = this.#issuer;
    return issuer === undefined ? '' : sha256(issuer);
  }

  get serialNumberPeerCertificateIssuer(): string {
    const issuer = this.#issuer;
    return issuer === undefined ? '' : serialNumber(issuer);
  }

  get peerCertificatePem(): string {
    return this.#peer?.toString() ?? '';
  }

  get peerCertificateChainPem(): string {
    return this.#chain.map(String).join('');
  }

  get validFromPeerMs(): number {
    return this.#peer?.validFromDate.getTime() ?? 0;
  }

  get expirationPeerMs(): number {
    return this.#peer?.validToDate.getTime() ?? 0;
  }

  get #peer(): X509Certificate | undefined {
    return this.#certificates.peer;
  }

  get #local(): X509Certificate | undefined {
    return this.#certificates.local;
  }

  get #chain(): readonly X509Certificate[] {
    return this.#peer === undefined ? [] : sentChain(this.#peer);
  }

  get #issuer(): X509Certificate | undefined {
    const { peer, validator } = this.#certificates;
    return peer && validator?.issuerOf(peer);
  }
}

function names(certificate: X509Certificate | undefined, type: SanType): string[] {
  if (certificate === undefined) return [];
  return subjectAltNames(certificate)
    .filter((name) => name.type === type)
    .map(({ value }) => value);
}

function serialNumber(certificate: X509Certificate): string {
  return integerHex(Buffer.from(certificate.serialNumber, 'hex'));
}

function sha256(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

function sha1(certificate: X509Certificate): string {
  return certificate.fingerprint.replaceAll(':', '').toLowerCase();
}

/**
 * RFC 2253, most specific first, in ASCII: node gives one part a line in the certificate's order, with all but the bytes of
 * other characters escaped. A plus sign in a value is escaped, so that one between spaces joins parts.
 */
function distinguishedName(lines: string | undefined): string {
  if (lines === undefined || lines === '') return '';
  const name = lines.split('\n').reverse().join(',').replaceAll(' + ', '+');
  return name.replace(/[\u{80}-\u{10ffff}]/gu, escaped);
}

function escaped(character: string): string {
  return Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '\\$&');
}
