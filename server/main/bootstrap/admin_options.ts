// The flags of the admin port. docs/security.md says what they do together.

import type { AdminOptions } from '../admin/credentials.ts';
import { invalid, type Values } from './flag_values.ts';

/** Throws ParseError for flags that mean nothing without another. */
export function adminOptions(values: Values): AdminOptions {
  const options = {
    tokenFile: values.text('admin-token-file'),
    viewerTokenFile: values.text('admin-viewer-token-file'),
    certFile: values.text('admin-cert-file'),
    keyFile: values.text('admin-key-file'),
    clientCaFile: values.text('admin-client-ca-file'),
    clientSans: values.all('admin-client-san'),
    hosts: values.all('admin-host').map((host) => host.toLowerCase()),
    trustLoopback: values.has('admin-trust-loopback'),
    allowRemoteWrites: values.has('admin-allow-remote-writes'),
  };
  const { tokenFile, viewerTokenFile, certFile, keyFile, clientCaFile, clientSans } = options;
  if ((certFile === '') !== (keyFile === ''))
    throw invalid('--admin-cert-file and --admin-key-file are only used together');
  if (clientCaFile !== '' && certFile === '')
    throw invalid('--admin-client-ca-file needs --admin-cert-file: only TLS asks clients for certificates');
  if (clientSans.length > 0 && clientCaFile === '')
    throw invalid('--admin-client-san is only used with --admin-client-ca-file');
  const credentials = tokenFile !== '' || viewerTokenFile !== '' || clientCaFile !== '';
  if (options.trustLoopback && !credentials)
    throw invalid(
      '--admin-trust-loopback is only used where credentials are needed: loopback may do everything',
    );
  if (options.allowRemoteWrites && credentials)
    throw invalid('--admin-allow-remote-writes is only used without credentials: they say who may write');
  return options;
}
