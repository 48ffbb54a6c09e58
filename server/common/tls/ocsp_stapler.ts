// Gives node an OCSP response to send with a certificate. It asks for one through an event of the `server` option of a TLS
// socket, wherever the socket comes from; this is such a server, which never listens.
// https://nodejs.org/api/tls.html#event-ocsprequest

import type { Server } from 'node:tls';
import { ConfigError } from '../../api/config_error.ts';
import type { TlsCertificateSecret } from '../../api/secret.ts';
import { nodeTls } from '../builtins.ts';
import { isMustStaple } from './certificate_extensions.ts';
import type { OcspStaplePolicy } from './certificate_selector.ts';
import { leafCertificate } from './secure_context.ts';

const staplers = new WeakMap<TlsCertificateSecret, Server>();

/** The same for the same certificate, which must have a response. */
export function ocspStapler(secret: TlsCertificateSecret): Server {
  let stapler = staplers.get(secret);
  if (stapler === undefined) {
    const der = secret.ocspStaple!.der;
    // Without a certificate of its own it is not asked.
    stapler = nodeTls().createServer({ cert: secret.certificateChainPem });
    stapler.on('OCSPRequest', (_certificate, _issuer, answer) => answer(null, der));
    staplers.set(secret, stapler);
  }
  return stapler;
}

/** Throws when a response is necessary and there is none. */
export function checkOcspPolicy(secret: TlsCertificateSecret, policy: OcspStaplePolicy): void {
  if (secret.ocspStaple !== undefined) return;
  if (isMustStaple(leafCertificate(secret))) {
    throw new ConfigError('', 'OCSP response is required for must-staple certificate');
  }
  if (policy === 'MUST_STAPLE') {
    throw new ConfigError('', 'Required OCSP response is missing from TLS context');
  }
}
