// TLS for accepted connections. The ClientHello has been peeked, so that certificate and ALPN are chosen before the
// handshake, which keeps it native. Envoy: source/common/tls/server_ssl_socket.cc, server_context_impl.cc.

import type { Socket } from 'node:net';
import type { SecureContext, TLSSocketOptions } from 'node:tls';
import type { DownstreamTransportSocketFactory } from '../../../api/network/transport_socket.ts';
import type { Provider } from '../../../api/registry.ts';
import type { Secret } from '../../../api/secret.ts';
import type { StatBlock } from '../../../api/stats.ts';
import type { ConnectionInfo, SslConnectionInfo } from '../../../api/stream_info.ts';
import { nodeTls } from '../../../common/builtins.ts';
import { SSL_SOCKET_FACTORY_STATS } from '../../../common/stats/families/ssl.ts';
import { CertificateSelector } from '../../../common/tls/certificate_selector.ts';
import { parseClientHello } from '../../../common/tls/client_hello.ts';
import type { CommonTlsConfig } from '../../../common/tls/context_config.ts';
import { chainErrorOf, onHandshake, refuse } from '../../../common/tls/handshake.ts';
import {
  leafCertificate,
  type SecureContextOptions,
  secureContext,
} from '../../../common/tls/secure_context.ts';
import { TlsConnectionInfo } from '../../../common/tls/ssl_connection_info.ts';
import type { SslStats } from '../../../common/tls/ssl_stats.ts';
import { NO_CERTIFICATE_ERROR } from '../../../common/tls/tls_error.ts';

export interface DownstreamTlsOptions {
  readonly common: CommonTlsConfig;
  /** Those of `common` that the chain speaks. */
  readonly alpnProtocols: readonly string[];
  readonly requireClientCertificate: boolean;
  readonly fullScanCertificates: boolean;
  /** Undefined: OpenSSL's own keys, one set per context and thread. */
  readonly ticketKeys: Provider<Secret> | undefined;
  readonly context: Pick<SecureContextOptions, 'secureOptions' | 'honorCipherOrder' | 'sessionTimeout'>;
  readonly stats: SslStats;
  readonly factoryStats: StatBlock;
}

interface ClientWishes {
  readonly serverName: string;
  readonly protocols: readonly string[];
}

type Done = (error: string | undefined, ssl: SslConnectionInfo | undefined) => void;

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

  /** Throws when OpenSSL cannot use what is there. Secrets that have not come are not checked. */
  check(): void {
    if (this.ready())
      for (const certificate of this.#options.common.certificates()) this.#context([certificate]);
  }

  wrap(socket: Socket, info: ConnectionInfo, done: Done): Socket {
    const { common, stats, factoryStats } = this.#options;
    if (!this.ready()) {
      const { downstream_context_secrets_not_ready: offset } = SSL_SOCKET_FACTORY_STATS.offset;
      factoryStats.values[factoryStats.base + offset]++;
      return refuse(socket, 'TLS error: Secret is not supplied by SDS', done);
    }
    const wishes = wishesOf(socket, info);
    const certificates = this.#select(wishes?.serverName ?? '');
    let context: SecureContext;
    try {
      context = this.#context(certificates);
    } catch (error) {
      stats.count('connection_error');
      return refuse(socket, `TLS error: ${(error as Error).message}`, done);
    }
    const validator = common.validation?.current;
    const required = this.#options.requireClientCertificate || validator?.requiresCertificate === true;
    const tls = new (nodeTls().TLSSocket)(socket, {
      isServer: true,
      secureContext: context,
      requestCert: required || validator?.requestsCertificate === true,
      rejectUnauthorized: false,
      ...alpnOptions(this.#options.alpnProtocols, wishes?.protocols),
      ...(wishes === undefined ? this.#lateChoice() : {}),
    });
    const finish = () => {
      const peer = tls.getPeerX509Certificate();
      if (peer === undefined && required) {
        stats.count('fail_verify_no_cert');
        return fail(NO_CERTIFICATE_ERROR);
      }
      const failure = peer && validator?.verify(peer, chainErrorOf(tls), undefined);
      if (failure !== undefined) {
        stats.count(failure.stat);
        if (!validator!.acceptUntrusted) return fail(failure.reason);
      }
      stats.handshake(tls, tls.isSessionReused(), peer !== undefined);
      const single = wishes !== undefined && certificates.length === 1;
      const local = single ? leafCertificate(certificates[0]) : tls.getX509Certificate();
      const sni = wishes?.serverName ?? (tls.servername || '');
      const validated =
        peer !== undefined && failure === undefined && validator?.requestsCertificate === true;
      done(undefined, new TlsConnectionInfo(tls, sni, peer, local, validated));
    };
    const fail = (reason: string) => {
      tls.destroy();
      done(reason, undefined);
    };
    onHandshake(tls, 'secure', stats, finish, fail);
    return tls;
  }

  /** When the ClientHello has not come yet, node asks for the certificate once it has. */
  #lateChoice(): Pick<TLSSocketOptions, 'SNICallback'> {
    if (this.#options.common.certificateProviders.length < 2) return {};
    return {
      SNICallback: (name, done) => done(null, this.#context(this.#select(name.toLowerCase()))),
    };
  }

  #select(serverName: string): ReturnType<CertificateSelector['select']> {
    const certificates = this.#options.common.certificates();
    let selector = this.#selector;
    if (selector === undefined || !same(selector.certificates, certificates)) {
      selector = new CertificateSelector(certificates, this.#options.fullScanCertificates);
      this.#selector = selector;
    }
    return selector.select(serverName);
  }

  #context(certificates: SecureContextOptions['certificates']): SecureContext {
    const { common, ticketKeys, context } = this.#options;
    const keys = ticketKeys?.current;
    return secureContext({
      params: common.params,
      certificates,
      trust: common.trust,
      ticketKeys: keys?.kind === 'session_ticket_keys' ? keys : undefined,
      ...context,
    });
  }
}

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}

/** What tls_inspector found, or what the bytes say when it is not configured. Undefined while there are none. */
function wishesOf(socket: Socket, info: ConnectionInfo): ClientWishes | undefined {
  if (info.detectedTransportProtocol === 'tls') {
    return { serverName: info.requestedServerName, protocols: info.requestedApplicationProtocols };
  }
  const bytes = socket.read() as Buffer | null;
  if (bytes === null) return undefined;
  socket.unshift(bytes);
  const hello = parseClientHello(bytes);
  if (hello.type !== 'client_hello') return undefined;
  return { serverName: hello.serverName, protocols: hello.applicationProtocols ?? [] };
}

/** Envoy goes on without ALPN when nothing is in common, where OpenSSL would end the handshake. */
function alpnOptions(
  ours: readonly string[],
  theirs: readonly string[] | undefined,
): { ALPNProtocols?: string[] } {
  const common = theirs === undefined ? ours : ours.filter((protocol) => theirs.includes(protocol));
  return common.length === 0 ? {} : { ALPNProtocols: [...common] };
}
