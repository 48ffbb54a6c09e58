// Operators about the TLS of a connection, the same facts for downstream and upstream.
// Envoy: source/common/formatter/stream_info_formatter.cc.

import type { LogContext } from '../../api/access_log.ts';
import type { SslConnectionInfo } from '../../api/stream_info.ts';
import { type Command, type CommandTable, nonEmpty, text } from './command_table.ts';
import { timeCommand } from './time_formatter.ts';

type Side = (context: LogContext) => SslConnectionInfo | undefined;
const downstream: Side = (context) => context.streamInfo.connection.ssl;
const upstream: Side = (context) => context.streamInfo.upstreamConnection?.ssl;

function fact(side: Side, extract: (ssl: SslConnectionInfo) => string): Command {
  return text((context) => {
    const ssl = side(context);
    return ssl === undefined ? undefined : nonEmpty(extract(ssl));
  });
}

function validity(side: Side, extract: (ssl: SslConnectionInfo) => number): Command {
  return timeCommand((context) => {
    const ssl = side(context);
    return ssl === undefined || !ssl.peerCertificatePresented ? undefined : extract(ssl);
  }, false);
}

/** As Envoy's URL-encoded PEM: of what a PEM holds, `encodeURIComponent` escapes exactly the newline, space, `+`, `/` and `=`. */
const urlEncodedPem = (ssl: SslConnectionInfo): string => encodeURIComponent(ssl.peerCertificatePem);

export const SSL_COMMANDS: CommandTable = {
  DOWNSTREAM_PEER_URI_SAN: fact(downstream, (ssl) => ssl.uriSanPeer.join(',')),
  DOWNSTREAM_PEER_DNS_SAN: fact(downstream, (ssl) => ssl.dnsSanPeer.join(',')),
  DOWNSTREAM_PEER_IP_SAN: fact(downstream, (ssl) => ssl.ipSanPeer.join(',')),
  DOWNSTREAM_PEER_EMAIL_SAN: fact(downstream, (ssl) => ssl.emailSanPeer.join(',')),
  DOWNSTREAM_PEER_OTHERNAME_SAN: fact(downstream, (ssl) => ssl.otherNameSanPeer.join(',')),
  DOWNSTREAM_LOCAL_OTHERNAME_SAN: fact(downstream, (ssl) => ssl.otherNameSanLocal.join(',')),
  DOWNSTREAM_LOCAL_IP_SAN: fact(downstream, (ssl) => ssl.ipSanLocal.join(',')),
  DOWNSTREAM_LOCAL_EMAIL_SAN: fact(downstream, (ssl) => ssl.emailSanLocal.join(',')),
  DOWNSTREAM_LOCAL_URI_SAN: fact(downstream, (ssl) => ssl.uriSanLocal.join(',')),
  DOWNSTREAM_LOCAL_DNS_SAN: fact(downstream, (ssl) => ssl.dnsSanLocal.join(',')),
  DOWNSTREAM_PEER_SUBJECT: fact(downstream, (ssl) => ssl.subjectPeer),
  DOWNSTREAM_LOCAL_SUBJECT: fact(downstream, (ssl) => ssl.subjectLocal),
  DOWNSTREAM_PEER_ISSUER: fact(downstream, (ssl) => ssl.issuerPeer),
  DOWNSTREAM_PEER_SERIAL: fact(downstream, (ssl) => ssl.serialNumberPeer),
  DOWNSTREAM_PEER_FINGERPRINT_256: fact(downstream, (ssl) => ssl.sha256PeerCertificateDigest),
  DOWNSTREAM_PEER_FINGERPRINT_1: fact(downstream, (ssl) => ssl.sha1PeerCertificateDigest),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256: fact(downstream, (ssl) =>
    ssl.sha256PeerCertificateChainDigests.join(','),
  ),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1: fact(downstream, (ssl) =>
    ssl.sha1PeerCertificateChainDigests.join(','),
  ),
  DOWNSTREAM_PEER_CHAIN_SERIALS: fact(downstream, (ssl) => ssl.serialNumbersPeerCertificates.join(',')),
  DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256: fact(downstream, (ssl) => ssl.sha256PeerCertificateIssuerDigest),
  DOWNSTREAM_PEER_ISSUER_SERIAL: fact(downstream, (ssl) => ssl.serialNumberPeerCertificateIssuer),
  DOWNSTREAM_PEER_CERT: fact(downstream, urlEncodedPem),
  DOWNSTREAM_PEER_CERT_V_START: validity(downstream, (ssl) => ssl.validFromPeerMs),
  DOWNSTREAM_PEER_CERT_V_END: validity(downstream, (ssl) => ssl.expirationPeerMs),
  UPSTREAM_SERVER_NAME: fact(upstream, (ssl) => ssl.sni),
  // What would compute them (tls_inspector) is refused.
  TLS_JA3_FINGERPRINT: text(() => undefined),
  TLS_JA4_FINGERPRINT: text(() => undefined),
  DOWNSTREAM_TLS_SESSION_ID: fact(downstream, (ssl) => ssl.sessionId),
  DOWNSTREAM_TLS_CIPHER: fact(downstream, (ssl) => ssl.cipher),
  DOWNSTREAM_TLS_GROUP: fact(downstream, (ssl) => ssl.group),
  DOWNSTREAM_TLS_VERSION: fact(downstream, (ssl) => ssl.tlsVersion),
  UPSTREAM_PEER_URI_SAN: fact(upstream, (ssl) => ssl.uriSanPeer.join(',')),
  UPSTREAM_PEER_DNS_SAN: fact(upstream, (ssl) => ssl.dnsSanPeer.join(',')),
  UPSTREAM_PEER_IP_SAN: fact(upstream, (ssl) => ssl.ipSanPeer.join(',')),
  UPSTREAM_LOCAL_IP_SAN: fact(upstream, (ssl) => ssl.ipSanLocal.join(',')),
  UPSTREAM_LOCAL_URI_SAN: fact(upstream, (ssl) => ssl.uriSanLocal.join(',')),
  UPSTREAM_LOCAL_DNS_SAN: fact(upstream, (ssl) => ssl.dnsSanLocal.join(',')),
  UPSTREAM_PEER_SUBJECT: fact(upstream, (ssl) => ssl.subjectPeer),
  UPSTREAM_PEER_ISSUER: fact(upstream, (ssl) => ssl.issuerPeer),
  UPSTREAM_PEER_CERT: fact(upstream, urlEncodedPem),
  UPSTREAM_PEER_CERT_V_START: validity(upstream, (ssl) => ssl.validFromPeerMs),
  UPSTREAM_PEER_CERT_V_END: validity(upstream, (ssl) => ssl.expirationPeerMs),
  UPSTREAM_TLS_SESSION_ID: fact(upstream, (ssl) => ssl.sessionId),
  UPSTREAM_TLS_CIPHER: fact(upstream, (ssl) => ssl.cipher),
  UPSTREAM_TLS_GROUP: fact(upstream, (ssl) => ssl.group),
  UPSTREAM_TLS_VERSION: fact(upstream, (ssl) => ssl.tlsVersion),
};
