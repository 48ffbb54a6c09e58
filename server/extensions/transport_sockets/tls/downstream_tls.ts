// TLS for accepted connections. The ClientHello is read first, so that certificate and ALPN are chosen before the handshake,
// which keeps it native. Envoy: source/common/tls/server_ssl_socket.cc, server_context_impl.cc.

import type { Socket } from 'node:net';
import type { SecureContext, Server } from 'node:tls';
import type { DownstreamTransportSocketFactory } from '../../../api/network/transport_socket.ts';
import type { Provider } from '../../../api/registry.ts';
import type { Secret, TlsCertificateSecret } from '../../../api/secret.ts';
import type { StatBlock } from '../../../api/stats.ts';
import type { ConnectionInfo, SslConnectionInfo } from '../../../api/stream_info.ts';
import { nodeTls } from '../../../common/builtins.ts';
import { SSL_SOCKET_FACTORY_STATS } from '../../../common/stats/families/ssl.ts';
import {
  CertificateSelector,
  type OcspStapleAction,
  type OcspStaplePolicy,
} from '../../../common/tls/certificate_selector.ts';
import { CONFIGURED_NAMES } from '../../../common/tls/certificate_validator.ts';
import { type ClientHello, TLS_1_3 } from '../../../common/tls/client_hello.ts';
import type { CommonTlsConfig } from '../../../common/tls/context_config.ts';
import { CLOSED_IN_HANDSHAKE, onHandshake, refuse } from '../../../common/tls/handshake.ts';
import { checkOcspPolicy, ocspStapler } from '../../../common/tls/ocsp_stapler.ts';
import { verifyPeer } from '../../../common/tls/peer_verification.ts';
import { readClientHello } from '../../../common/tls/read_client_hello.ts';
import {
  leafCertificate,
  type SecureContextOptions,
  SSL_OP_NO_TICKET,
  secureContext,
} from '../../../common/tls/secure_context.ts';
import { sessionTicketKey } from '../../../common/tls/session_ticket_keys.ts';
import { TlsConnectionInfo } from '../../../common/tls/ssl_connection_info.ts';
import type { SslStats } from '../../../common/tls/ssl_stats.ts';
import { NO_CERTIFICATE_ERROR, OCSP_POLICY_ERROR } from '../../../common/tls/tls_error.ts';

export interface DownstreamTlsOptions {
  readonly common: CommonTlsConfig;
  /** Those of `common` that the chain speaks. */
  readonly alpnProtocols: readonly string[];
  readonly requireClientCertificate: boolean;
  readonly fullScanCertificates: boolean;
  readonly ocspStaplePolicy: OcspStaplePolicy;
  /** Undefined: keys that all workers of this process make alike. */
  readonly ticketKeys: Provider<Secret> | undefined;
  readonly context: Pick<SecureContextOptions, 'secureOptions' | 'honorCipherOrder' | 'sessionTimeout'>;
  readonly stats: SslStats;
  readonly factoryStats: StatBlock;
}

type Done = (error: string | undefined, ssl: SslConnectionInfo | undefined, secure: Socket) => void;

export class DownstreamTlsSocketFactory implements DownstreamTransportSocketFactory {
  readonly secure = true;
  readonly #options: DownstreamTlsOptions;
  #selector: CertificateSelector | undefined = undefined;

  constructor(options: DownstreamTlsOptions) {
    this.#options = options;
  }

  ready(): boolean {
    const { common, ticketKeys } = this.#options;
    return common.ready() && (ticketKeys === undefined || ticketKeys.current !== undefined);
  }

  /** Throws when OpenSSL cannot use what is there, or the OCSP policy forbids it. Secrets that have not come are not checked. */
  check(): void {
    if (!this.ready()) return;
    for (const certificate of this.#options.common.certificates()) {
      this.#context(certificate, undefined);
      checkOcspPolicy(certificate, this.#options.ocspStaplePolicy);
    }
  }

  wrap(socket: Socket, _info: ConnectionInfo, done: Done): void {
    if (!this.ready()) {
      const { values, base } = this.#options.factoryStats;
      values[base + SSL_SOCKET_FACTORY_STATS.offset.downstream_context_secrets_not_ready]++;
      refuse(socket, 'TLS error: Secret is not supplied by SDS', done);
      return;
    }
    readClientHello(
      socket,
      (hello) => this.#handshake(socket, hello, done),
      () => refuse(socket, CLOSED_IN_HANDSHAKE, done),
    );
  }

  #handshake(socket: Socket, hello: ClientHello | undefined, done: Done): void {
    const { common, stats } = this.#options;
    // A secret may have been taken away while the client was slow; the last ones then serve.
    const { certificate, staple } = this.#select(hello);
    this.#countStaple(hello, staple);
    if (staple === 'fail') {
      stats.count('connection_error');
      refuse(socket, OCSP_POLICY_ERROR, done);
      return;
    }
    let context: SecureContext;
    try {
      context = this.#context(certificate, hello);
    } catch (error) {
      stats.count('connection_error');
      refuse(socket, `TLS error: ${(error as Error).message}`, done);
      return;
    }
    const validator = common.validation?.current;
    const required = this.#options.requireClientCertificate || validator?.requiresCertificate === true;
    const tls = new (nodeTls().TLSSocket)(socket, {
      isServer: true,
      secureContext: context,
      requestCert: required || validator?.requestsCertificate === true,
      // For a socket made by hand it means no more than this: who shows no certificate gets an alert that says so.
      rejectUnauthorized: required,
      ...alpnOptions(this.#options.alpnProtocols, hello?.applicationProtocols ?? []),
      ...staplerOptions(certificate, staple),
    });
    const infoOf = (trusted: boolean): TlsConnectionInfo =>
      new TlsConnectionInfo(tls, hello?.serverName ?? '', {
        peer,
        local: leafCertificate(certificate),
        validator: trusted ? validator : undefined,
      });
    let peer: ReturnType<typeof tls.getPeerX509Certificate>;
    const finish = (): void => {
      peer = tls.getPeerX509Certificate();
      // OpenSSL has seen to that, but not for a session that began where none was needed.
      if (peer === undefined && required) {
        fail(NO_CERTIFICATE_ERROR);
        tls.destroy();
        return;
      }
      const { refusal, validated } = verifyPeer(tls, peer, 'client', validator, CONFIGURED_NAMES, stats);
      const info = infoOf(validated);
      if (refusal !== undefined) {
        done(refusal, info, tls);
        tls.destroy();
        return;
      }
      stats.handshake(info, tls.isSessionReused(), peer);
      done(undefined, info, tls);
    };
    const fail = (reason: string): void => {
      if (reason === NO_CERTIFICATE_ERROR) stats.count('fail_verify_no_cert');
      done(reason, infoOf(false), tls);
    };
    onHandshake(tls, 'secure', stats, finish, fail);
  }

  #countStaple(hello: ClientHello | undefined, staple: OcspStapleAction): void {
    const { stats } = this.#options;
    if (hello?.statusRequest === true) stats.count('ocsp_staple_requests');
    if (staple === 'staple') stats.count('ocsp_staple_responses');
    else if (staple === 'no_staple') stats.count('ocsp_staple_omitted');
    else if (staple === 'fail') stats.count('ocsp_staple_failed');
  }

  #select(hello: ClientHello | undefined): ReturnType<CertificateSelector['select']> {
    const { common, fullScanCertificates, ocspStaplePolicy } = this.#options;
    const certificates = common.certificates();
    let selector = this.#selector;
    if (selector === undefined || !same(selector.certificates, certificates)) {
      selector = new CertificateSelector(certificates, {
        fullScan: fullScanCertificates,
        ocspStaplePolicy,
        cipherSuites: common.params.ciphers,
        speaksTls13: common.params.maxVersion === 'TLSv1.3',
      });
      this.#selector = selector;
    }
    return selector.select(hello);
  }

  #context(certificate: TlsCertificateSecret, hello: ClientHello | undefined): SecureContext {
    const { common, ticketKeys, context } = this.#options;
    const keys = ticketKeys?.current;
    // BoringSSL leaves the choice among the suites of TLS 1.3 to the client: a phone without AES in its hardware knows why.
    const tls13 = hello?.version === TLS_1_3 && common.params.maxVersion === 'TLSv1.3';
    return secureContext({
      params: common.params,
      certificates: [certificate],
      trust: common.trust,
      ticketKey: sessionTicketKey(
        keys?.kind === 'session_ticket_keys' ? keys : undefined,
        hello?.ticketName ?? '',
      ),
      ...context,
      secureOptions: context.secureOptions | (common.validation?.current?.walksChain ? SSL_OP_NO_TICKET : 0),
      honorCipherOrder: context.honorCipherOrder && !tls13,
    });
  }
}

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

/** Envoy goes on without ALPN when nothing is in common, where OpenSSL would end the handshake. */
function alpnOptions(ours: readonly string[], theirs: readonly string[]): { ALPNProtocols?: string[] } {
  const common = ours.filter((protocol) => theirs.includes(protocol));
  return common.length === 0 ? {} : { ALPNProtocols: common };
}

function staplerOptions(certificate: TlsCertificateSecret, staple: OcspStapleAction): { server?: Server } {
  return staple === 'staple' ? { server: ocspStapler(certificate) } : {};
}
