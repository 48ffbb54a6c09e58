// TLS for connections to hosts of a cluster. Envoy: source/common/tls/client_ssl_socket.cc, client_context_impl.cc.

import type { X509Certificate } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type {
  UpstreamTransportSocketFactory,
  UpstreamTransportSocketOptions,
} from '../../../api/network/transport_socket.ts';
import type { StatStore } from '../../../api/stats.ts';
import type { SslConnectionInfo } from '../../../api/stream_info.ts';
import { nodeTls } from '../../../common/builtins.ts';
import { logger } from '../../../common/log.ts';
import { SSL_SOCKET_FACTORY_STATS } from '../../../common/stats/families/ssl.ts';
import type { CommonTlsConfig } from '../../../common/tls/context_config.ts';
import { onHandshake, refuse } from '../../../common/tls/handshake.ts';
import { verifyPeer } from '../../../common/tls/peer_verification.ts';
import { leafCertificate, secureContext } from '../../../common/tls/secure_context.ts';
import { TlsConnectionInfo } from '../../../common/tls/ssl_connection_info.ts';
import { SslStats } from '../../../common/tls/ssl_stats.ts';
import { clientError } from '../../../common/tls/tls_error.ts';

const log = logger('connection');

export interface UpstreamTlsOptions {
  readonly common: CommonTlsConfig;
  readonly sni: string;
  /** The host's name, where it has one, comes before `sni`. */
  readonly autoHostSni: boolean;
  /** The certificate must name the SNI. */
  readonly autoSniSanValidation: boolean;
  /** Sessions kept for resumption; 0 = none. */
  readonly maxSessionKeys: number;
  readonly secureOptions: number;
  readonly stats: StatStore;
  /** `cluster.<x>.` */
  readonly statPrefix: string;
}

/** A session and who the server was: a resumed handshake shows no certificate, and is checked against this one. */
interface Session {
  /** What was asked for: another name may be another server. */
  readonly sni: string;
  readonly ticket: Buffer;
  readonly peer: X509Certificate | undefined;
}

type Done = (error: string | undefined, ssl: SslConnectionInfo | undefined) => void;

export class UpstreamTlsSocketFactory implements UpstreamTransportSocketFactory {
  readonly secure = true;
  readonly sendsDownstreamAddresses = false;
  readonly #options: UpstreamTlsOptions;
  #stats: SslStats | undefined = undefined;
  #sessions: Session[] = [];
  /** Sessions belong to it. */
  #sessionContext: SecureContext | undefined = undefined;

  constructor(options: UpstreamTlsOptions) {
    this.#options = options;
  }

  ready(): boolean {
    return this.#options.common.ready();
  }

  /** Throws when OpenSSL cannot use what is there. Secrets that have not come are not checked. */
  check(): void {
    if (this.ready()) this.#context(this.#options.common.certificates());
  }

  wrap(socket: Socket, options: UpstreamTransportSocketOptions, done: Done): Socket {
    const { common } = this.#options;
    const { statPrefix } = this.#options;
    if (!this.ready()) {
      this.#countNotReady();
      return refuse(socket, 'TLS error: Secret is not supplied by SDS', done);
    }
    const stats = (this.#stats ??= new SslStats(this.#options.stats, `${statPrefix}ssl.`));
    const certificates = common.certificates();
    let context: SecureContext;
    try {
      context = this.#context(certificates);
    } catch (error) {
      stats.count('connection_error');
      return refuse(socket, `TLS error: ${(error as Error).message}`, done);
    }
    const sni = this.#sni(options);
    const names = { override: options.sanOverride, sni: this.#options.autoSniSanValidation ? sni : '' };
    const resumable = this.#options.maxSessionKeys > 0;
    const session = resumable ? this.#takeSession(context, sni) : undefined;
    const configured = options.alpnOverride ?? common.alpnProtocols;
    const alpn = configured.length === 0 ? options.alpnFallback : configured;
    const tls = nodeTls().connect({
      socket,
      secureContext: context,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      // An SNI is never an IP address (RFC 6066 3).
      ...(sni === '' || isIP(sni) !== 0 ? {} : { servername: sni }),
      ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
      ...(session === undefined ? {} : { session: session.ticket }),
    });
    // TLS 1.2 sends its ticket within the handshake, when the server is not yet known to be the right one.
    let early: Buffer | undefined;
    if (resumable) tls.once('session', (ticket: Buffer) => (early = ticket));
    const finish = () => {
      const reused = tls.isSessionReused();
      const peer = reused ? session?.peer : tls.getPeerX509Certificate();
      const validator = common.validation?.current;
      const { refusal, validated } = verifyPeer(tls, peer, 'server', validator, names, stats);
      if (refusal !== undefined) return fail(refusal);
      const info = new TlsConnectionInfo(tls, sni, {
        peer,
        local: certificates.length === 0 ? undefined : leafCertificate(certificates[0]),
        validator: validated ? validator : undefined,
      });
      stats.handshake(info, reused, peer);
      if (resumable) {
        tls.removeAllListeners('session');
        // A TLS 1.2 session may be used again, and its server need not send another.
        if (reused && info.tlsVersion !== 'TLSv1.3') this.#keepSession(session!, context);
        if (early !== undefined) this.#keepSession({ sni, ticket: early, peer }, context);
        tls.on('session', (ticket: Buffer) => this.#keepSession({ sni, ticket, peer }, context));
      }
      done(undefined, info);
    };
    const fail = (reason: string) => {
      if (log.enabled('debug')) log.debug(`TLS to ${options.host.address.text}: ${reason}`);
      tls.destroy();
      done(reason, undefined);
    };
    onHandshake(tls, 'secureConnect', stats, finish, (reason) =>
      fail(clientError(reason, tls.getCipher()?.name !== undefined)),
    );
    return tls;
  }

  #countNotReady(): void {
    const { statPrefix } = this.#options;
    const { values, base } = this.#options.stats.block(
      SSL_SOCKET_FACTORY_STATS,
      `${statPrefix}client_ssl_socket_factory.`,
    );
    values[base + SSL_SOCKET_FACTORY_STATS.offset.upstream_context_secrets_not_ready]++;
  }

  #sni(options: UpstreamTransportSocketOptions): string {
    if (options.sniOverride !== undefined) return options.sniOverride;
    return (this.#options.autoHostSni && options.host.hostname) || this.#options.sni;
  }

  #context(certificates: ReturnType<CommonTlsConfig['certificates']>): SecureContext {
    const { common, secureOptions } = this.#options;
    return secureContext({
      params: common.params,
      certificates,
      trust: common.trust,
      ticketKey: undefined,
      secureOptions,
      honorCipherOrder: false,
      sessionTimeout: undefined,
    });
  }

  /** TLS 1.3 tickets are for one use (RFC 8446 C.4); servers send new ones with each connection. */
  #takeSession(context: SecureContext, sni: string): Session | undefined {
    if (this.#sessionContext !== context) {
      this.#sessionContext = context;
      this.#sessions = [];
    }
    const index = this.#sessions.findLastIndex((session) => session.sni === sni);
    return index < 0 ? undefined : this.#sessions.splice(index, 1)[0];
  }

  #keepSession(session: Session, context: SecureContext): void {
    if (this.#sessionContext !== context) return;
    this.#sessions.push(session);
    if (this.#sessions.length > this.#options.maxSessionKeys) this.#sessions.shift();
  }
}
