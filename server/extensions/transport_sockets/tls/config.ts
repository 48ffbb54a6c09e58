// envoy.transport_sockets.tls, downstream and upstream. Envoy: api/envoy/extensions/transport_sockets/tls/v3/tls.proto.

import type {
  DownstreamTlsContext,
  UpstreamTlsContext,
} from '../../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import { durationMs } from '../../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../../api/config_error.ts';
import type {
  DownstreamTransportSocketExtension,
  FactoryContext,
  Provider,
  UpstreamTransportSocketExtension,
} from '../../../api/registry.ts';
import type { Secret } from '../../../api/secret.ts';
import { compileSecret } from '../../../common/secret/secret_config.ts';
import { SSL_SOCKET_FACTORY_STATS } from '../../../common/stats/families/ssl.ts';
import { CommonTlsConfig } from '../../../common/tls/context_config.ts';
import { SSL_OP_NO_RENEGOTIATION, SSL_OP_NO_TICKET } from '../../../common/tls/secure_context.ts';
import { SslStats } from '../../../common/tls/ssl_stats.ts';
import { DownstreamTlsSocketFactory } from './downstream_tls.ts';
import { UpstreamTlsSocketFactory } from './upstream_tls.ts';

/** UpstreamTlsContext.max_session_keys. */
const DEFAULT_MAX_SESSION_KEYS = 1;

function compileDownstream(
  config: DownstreamTlsContext,
  context: FactoryContext,
  path: string,
): DownstreamTlsSocketFactory {
  const commonPath = at(path, 'common_tls_context');
  const tls = config.common_tls_context;
  if (
    tls !== undefined &&
    tls.tls_certificates.length > 0 &&
    tls.tls_certificate_sds_secret_configs.length > 0
  ) {
    throw new ConfigError(commonPath, 'SDS and non-SDS TLS certificates may not be mixed in server contexts');
  }
  const common = new CommonTlsConfig(tls, 'client', context, commonPath);
  if (common.certificateProviders.length === 0) {
    throw new ConfigError(commonPath, 'No TLS certificates found for server context');
  }
  if (config.require_sni?.value) throw new ConfigError(at(path, 'require_sni'), 'not supported');
  const timeoutMs = durationMs(config.session_timeout);
  const listener = `listener.${context.listener?.statName ?? ''}.`;
  const factory = new DownstreamTlsSocketFactory({
    common,
    alpnProtocols: common.alpnProtocols,
    requireClientCertificate: config.require_client_certificate?.value ?? false,
    fullScanCertificates: config.full_scan_certs_on_sni_mismatch?.value ?? false,
    ocspStaplePolicy:
      typeof config.ocsp_staple_policy === 'number' ? 'LENIENT_STAPLING' : config.ocsp_staple_policy,
    ticketKeys: ticketKeys(config, context, path),
    context: {
      // node keeps no sessions on a server's side, so without tickets nothing is resumed.
      secureOptions: config.disable_stateless_session_resumption ? SSL_OP_NO_TICKET : 0,
      honorCipherOrder: !config.prefer_client_ciphers,
      sessionTimeout: timeoutMs === undefined ? undefined : Math.ceil(timeoutMs / 1000),
    },
    stats: new SslStats(context.stats, `${listener}ssl.`),
    factoryStats: context.stats.block(SSL_SOCKET_FACTORY_STATS, `${listener}server_ssl_socket_factory.`),
  });
  checkMaterial(factory, context, commonPath);
  return factory;
}

/** What the main thread accepts must work in the workers, which make their OpenSSL contexts when they need them. */
function checkMaterial(factory: { check(): void }, context: FactoryContext, path: string): void {
  if (context.thread !== 'main') return;
  try {
    factory.check();
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(path, error.reason);
    throw new ConfigError(path, `Failed to load TLS certificates or keys: ${(error as Error).message}`);
  }
}

function ticketKeys(
  config: DownstreamTlsContext,
  context: FactoryContext,
  path: string,
): Provider<Secret> | undefined {
  if (config.session_ticket_keys !== undefined) {
    const secret = { name: '', session_ticket_keys: config.session_ticket_keys };
    return { name: '', current: compileSecret(secret, path) };
  }
  const sds = config.session_ticket_keys_sds_secret_config;
  if (sds === undefined) return undefined;
  return context.secret(sds, 'session_ticket_keys', at(path, 'session_ticket_keys_sds_secret_config'));
}

function compileUpstream(
  config: UpstreamTlsContext,
  context: FactoryContext,
  path: string,
): UpstreamTlsSocketFactory {
  if (config.sni.includes('\0')) {
    throw new ConfigError(at(path, 'sni'), 'SNI names containing NULL-byte are not allowed');
  }
  const commonPath = at(path, 'common_tls_context');
  const common = new CommonTlsConfig(config.common_tls_context, 'server', context, commonPath);
  if (common.certificateProviders.length > 1) {
    throw new ConfigError(commonPath, 'Multiple TLS certificates are not supported for client contexts');
  }
  if (config.auto_sni_san_validation && common.validation === undefined) {
    throw new ConfigError(path, "'auto_sni_san_validation' was configured without a validation context");
  }
  const factory = new UpstreamTlsSocketFactory({
    common,
    sni: config.sni,
    autoHostSni: config.auto_host_sni,
    autoSniSanValidation: config.auto_sni_san_validation,
    maxSessionKeys: config.max_session_keys?.value ?? DEFAULT_MAX_SESSION_KEYS,
    secureOptions: config.allow_renegotiation ? 0 : SSL_OP_NO_RENEGOTIATION,
    stats: context.stats,
    statPrefix: context.clusterStatPrefix,
  });
  checkMaterial(factory, context, commonPath);
  return factory;
}

export const downstreamTlsFactory: DownstreamTransportSocketExtension<DownstreamTlsContext> = {
  compile: compileDownstream,
};

export const upstreamTlsFactory: UpstreamTransportSocketExtension<UpstreamTlsContext> = {
  compile: compileUpstream,
};
