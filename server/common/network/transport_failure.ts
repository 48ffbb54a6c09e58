// Says why a plain connection failed in the words Envoy has for it (%UPSTREAM_TRANSPORT_FAILURE_REASON%, local replies):
// `delayed connect error: ` with the C library's text. A reset of an established connection has none.
// Envoy: ConnectionImpl::onWriteReady (source/common/network/connection_impl.cc), errorDetails (source/common/common/utility.cc).

import { getSystemErrorMessage } from 'node:util';

/** strerror(3) of Linux, for the connect errors that node words differently. */
const STRERROR: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  ETIMEDOUT: 'Connection timed out',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EADDRINUSE: 'Address already in use',
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  ENOENT: 'No such file or directory',
  EINVAL: 'Invalid argument',
  EMFILE: 'Too many open files',
};

/** The reason for an `error` event of a socket, or '' where Envoy gives none. */
export function transportFailure(error: NodeJS.ErrnoException): string {
  if (error.syscall === 'connect' || error.syscall === 'bind')
    return `delayed connect error: ${strerror(error)}`;
  // Read and write errors of plain sockets; what has no system call comes from TLS and has words of its own.
  return error.syscall === undefined && error.code !== 'ECONNRESET' ? error.message : '';
}

/** What the C library says of a failed system call. */
export function strerror(error: NodeJS.ErrnoException): string {
  const known = STRERROR[error.code ?? ''];
  if (known !== undefined) return known;
  return error.errno === undefined ? error.message : getSystemErrorMessage(error.errno);
}
