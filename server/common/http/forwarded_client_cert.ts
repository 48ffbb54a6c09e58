// x-forwarded-client-cert: passes on, replaces or removes what is known of the client's certificate.
// Follows Envoy's mutateXfccRequestHeader (source/common/http/conn_manager_utility.cc) and docs: x-forwarded-client-cert.

import type { RequestHeaderMap } from '../../api/http/header_map.ts';
import type { ConnectionInfo, SslConnectionInfo } from '../../api/stream_info.ts';
import type { ConnectionManagerConfig, SetCurrentClientCertDetails } from './conn_manager_config.ts';

const XFCC = 'x-forwarded-client-cert';

/** Applies forward_client_cert_details to a request. */
export function mutateForwardedClientCert(
  headers: RequestHeaderMap,
  config: ConnectionManagerConfig,
  connection: ConnectionInfo,
): void {
  const mode = config.forwardClientCert;
  if (mode === 'ALWAYS_FORWARD_ONLY') return;
  const ssl = connection.ssl;
  const mutual = ssl?.peerCertificatePresented === true;
  if (!mutual || mode === 'SANITIZE') {
    headers.remove(XFCC);
    return;
  }
  if (mode === 'FORWARD_ONLY') return;
  const element = describe(ssl, config.setCurrentClientCertDetails);
  if (element === '') return;
  const before = mode === 'APPEND_FORWARD' ? headers.getAll(XFCC) : undefined;
  headers.set(XFCC, before === undefined ? element : `${before},${element}`);
}

function describe(ssl: SslConnectionInfo, details: SetCurrentClientCertDetails): string {
  const parts: string[] = [];
  for (const uri of ssl.uriSanLocal) parts.push(`By=${uri}`);
  if (ssl.sha256PeerCertificateDigest !== '') parts.push(`Hash=${ssl.sha256PeerCertificateDigest}`);
  if (details.cert) parts.push(`Cert="${encodeURIComponent(ssl.peerCertificatePem)}"`);
  if (details.chain) parts.push(`Chain="${encodeURIComponent(ssl.peerCertificateChainPem)}"`);
  // A quote in it is escaped already (RFC 2253); once more, and it would end the value.
  if (details.subject) parts.push(`Subject="${ssl.subjectPeer}"`);
  if (details.uri) for (const uri of ssl.uriSanPeer) parts.push(`URI=${uri}`);
  if (details.dns) for (const dns of ssl.dnsSanPeer) parts.push(`DNS=${dns}`);
  return parts.join(';');
}
