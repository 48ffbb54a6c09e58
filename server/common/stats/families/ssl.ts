// Stats of TLS contexts, as Envoy 1.40 lists them.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/stats

import { statSchema } from '../schema.ts';

/** Below `listener.<address>.ssl.` and `cluster.<name>.ssl.`. */
export const SSL_STATS = statSchema('ssl', {
  connection_error: 'counter',
  fail_verify_cert_hash: 'counter',
  fail_verify_error: 'counter',
  fail_verify_no_cert: 'counter',
  fail_verify_san: 'counter',
  handshake: 'counter',
  no_certificate: 'counter',
  ocsp_staple_failed: 'counter',
  ocsp_staple_omitted: 'counter',
  ocsp_staple_requests: 'counter',
  ocsp_staple_responses: 'counter',
  session_reused: 'counter',
});

/** Below `listener.<address>.server_ssl_socket_factory.` and `cluster.<name>.client_ssl_socket_factory.`. */
export const SSL_SOCKET_FACTORY_STATS = statSchema('ssl_socket_factory', {
  downstream_context_secrets_not_ready: 'counter',
  ssl_context_update_by_sds: 'counter',
  upstream_context_secrets_not_ready: 'counter',
});
