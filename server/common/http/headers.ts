// Facts about well-known headers and statuses.
// Envoy: source/common/http/codes.cc, header_utility.cc, common/common/utility.cc (token lists).

import type { HeaderMap, RequestHeaderMap } from '../../api/http/header_map.ts';

/**
 * Reason phrases as Envoy 1.40 writes them; it says Unknown for all others, 418 and 451 among them. A table of our own,
 * because an ES module's import of node:http, which has one too, loads all of node's HTTP stack: 17 MB a thread.
 */
const REASON_PHRASES: Readonly<Record<number, string>> = {
  100: 'Continue',
  101: 'Switching Protocols',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  207: 'Multi-Status',
  208: 'Already Reported',
  226: 'IM Used',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  305: 'Use Proxy',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Payload Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Entity',
  423: 'Locked',
  424: 'Failed Dependency',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  506: 'Variant Also Negotiates',
  507: 'Insufficient Storage',
  508: 'Loop Detected',
  510: 'Not Extended',
  511: 'Network Authentication Required',
};

/** The reason phrase of a response. */
export function reasonPhrase(status: number): string {
  return REASON_PHRASES[status] ?? 'Unknown';
}

/** Whether a comma-separated value (without spaces around it) has the token (lower-case), whatever its case. */
export function hasToken(value: string, token: string): boolean {
  if (value.length <= token.length) return value === token || value.toLowerCase() === token;
  if (!value.includes(',')) return false;
  return value.split(',').some((part) => part.trim().toLowerCase() === token);
}

/** The value without the token (lower-case). `''` when nothing remains. */
export function removeToken(value: string, token: string): string {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '' && part.toLowerCase() !== token)
    .join(',');
}

/** Whether a message says that its connection ends with it: HTTP/1.0 unless kept alive, HTTP/1.1 when asked to close. */
export function shouldCloseConnection(http10: boolean, headers: HeaderMap): boolean {
  const connection = headers.getAll('connection');
  if (http10) {
    if (connection === undefined || !hasToken(connection, 'keep-alive')) return true;
  } else if (connection !== undefined && hasToken(connection, 'close')) {
    return true;
  }
  const proxyConnection = headers.getAll('proxy-connection');
  return proxyConnection !== undefined && hasToken(proxyConnection, 'close');
}

/** Whether a request or response asks for (or agrees to) an upgrade. Envoy: Utility::isUpgrade. */
export function isUpgrade(headers: HeaderMap): boolean {
  if (!headers.has('upgrade')) return false;
  const connection = headers.getAll('connection');
  return connection !== undefined && hasToken(connection, 'upgrade');
}

/** The upgrade that a request asks for (lower-case; `connect` of a CONNECT), or ''. */
export function upgradeType(headers: RequestHeaderMap): string {
  if (isUpgrade(headers)) return headers.get('upgrade')!.toLowerCase();
  return headers.method === 'CONNECT' ? 'connect' : '';
}

/** The answer to an upgrade or a CONNECT that is taken. */
export function isTunnel(status: number): boolean {
  return status === 101 || (status >= 200 && status < 300);
}
