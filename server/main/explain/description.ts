// What is asked about: a request or a connection, described by a person, a script, a curl line or a captured request, made into the
// one form that the walk through the configuration starts from. What is not said is assumed, and the answer shows it.

import { isIP } from 'node:net';
import type { CapturedRequest } from '../../common/capture/captured_request.ts';
import { formatAddress } from '../../common/network/address.ts';

/** A description that makes no sense; the message says why. */
export class DescriptionError extends Error {}

/** As it is posted. */
export interface PostedConnection {
  readonly listener?: string;
  /** `10.0.0.1:80`: where the client connects to. */
  readonly destination?: string;
  readonly source?: string;
  readonly server_name?: string;
  readonly tls?: boolean;
  readonly alpn?: readonly string[];
  readonly protocol?: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  readonly direction?: 'inbound' | 'outbound';
  /** The URI SAN of the client's certificate. */
  readonly client_san?: string;
}

export interface PostedRequest {
  readonly method?: string;
  readonly url?: string;
  readonly authority?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

export interface Description {
  readonly request: RequestDescription | undefined;
  readonly listener: string;
  /** Where the client connects to: an IP address, or '' where only a name or nothing is known. */
  readonly destinationIp: string;
  /** 0: not known. */
  readonly destinationPort: number;
  readonly sourceIp: string;
  readonly sourcePort: number;
  readonly serverName: string;
  readonly tls: boolean;
  readonly alpn: readonly string[];
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  readonly direction: 'inbound' | 'outbound';
  readonly clientSan: string;
}

export interface RequestDescription {
  readonly method: string;
  readonly authority: string | undefined;
  readonly path: string;
  /** Names in lower case, then values, one after the other. */
  readonly headers: readonly string[];
}

/** Throws DescriptionError. */
export function describe(request: PostedRequest | undefined, connection: PostedConnection): Description {
  const url = request?.url === undefined ? undefined : parsedUrl(request.url);
  const destination = hostAndPort(connection.destination ?? '', 'destination');
  const source = hostAndPort(connection.source ?? '127.0.0.1', 'source');
  const tls = connection.tls ?? (url?.protocol === 'https:' || (connection.server_name ?? '') !== '');
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? '';
  const port = url === undefined ? 0 : Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const known = destination.host !== '' || destination.port !== 0;
  const protocol = connection.protocol ?? 'HTTP/1.1';
  const serverName = connection.server_name ?? (tls ? nameOf(host || (request?.authority ?? '')) : '');
  if (
    !known &&
    isIP(host) === 0 &&
    connection.listener === undefined &&
    url === undefined &&
    request === undefined
  )
    throw new DescriptionError(
      'say where the connection goes: connection.destination or connection.listener',
    );
  return {
    request: request === undefined ? undefined : requestOf(request, url),
    listener: connection.listener ?? '',
    destinationIp: known ? destination.host : isIP(host) === 0 ? '' : host,
    destinationPort: known ? destination.port : port,
    sourceIp: source.host,
    sourcePort: source.port,
    serverName: serverName.toLowerCase(),
    tls,
    alpn:
      connection.alpn ??
      (tls && request !== undefined ? (protocol === 'HTTP/2' ? ['h2'] : ['http/1.1']) : []),
    protocol,
    direction: connection.direction ?? 'outbound',
    clientSan: connection.client_san ?? '',
  };
}

/** What a worker has kept of a request. */
export function describeCaptured(captured: CapturedRequest): Description {
  const local = hostAndPort(captured.local, 'local');
  const client = hostAndPort(captured.client, 'client');
  const isRequest = captured.protocol !== 'TCP';
  return {
    request: isRequest
      ? {
          method: captured.method,
          authority: captured.authority === '' ? undefined : captured.authority,
          path: captured.path,
          headers: captured.request_headers.flatMap(({ name, value }) =>
            PROXYS.test(name) ? [] : [name, value],
          ),
        }
      : undefined,
    listener: captured.listener,
    destinationIp: local.host,
    destinationPort: local.port,
    sourceIp: client.host === '' ? '127.0.0.1' : client.host,
    sourcePort: client.port,
    serverName: captured.server_name,
    // TLS that is passed through is not the proxy's own.
    tls: captured.tls !== '' || captured.server_name !== '',
    alpn: captured.alpn,
    protocol:
      captured.protocol === 'HTTP/2' ? 'HTTP/2' : captured.protocol === 'HTTP/1.0' ? 'HTTP/1.0' : 'HTTP/1.1',
    direction: 'outbound',
    clientSan: captured.peer,
  };
}

/** The proxy has set these itself. */
const PROXYS = /^x-(?:envoy-|request-id$|forwarded-proto$)/;

function requestOf(request: PostedRequest, url: URL | undefined): RequestDescription {
  const headers: string[] = [];
  let authority = request.authority ?? url?.host;
  for (const [name, values] of Object.entries(request.headers ?? {})) {
    const lower = name.toLowerCase();
    for (const value of typeof values === 'string' ? [values] : values) {
      // The URL only says where to connect: a host header goes to the proxy as it is.
      if (lower === 'host' || lower === ':authority') authority = value;
      else headers.push(lower, value);
    }
  }
  const path = request.path ?? (url === undefined ? '/' : `${url.pathname}${url.search}`);
  return { method: request.method ?? 'GET', authority, path, headers };
}

function parsedUrl(text: string): URL {
  const whole = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(whole)) throw new DescriptionError(`'${text}' is no URL`);
  const url = new URL(whole);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new DescriptionError(`'${text}': only http and https are understood`);
  return url;
}

/** `10.0.0.1:80`, `[::1]:80`, `10.0.0.1`, `:80`. Throws DescriptionError for a host that is no IP address. */
function hostAndPort(text: string, what: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)|([0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*))(?::(\d{1,5}))?$/.exec(
    text,
  );
  const host = match?.[1] ?? match?.[2] ?? match?.[3] ?? '';
  if (match === null || (host !== '' && isIP(host) === 0)) {
    // A Unix socket has no address.
    if (text.startsWith('/') || text.startsWith('@')) return { host: '', port: 0 };
    throw new DescriptionError(`connection.${what}: '${text}' is no IP address with a port`);
  }
  return { host, port: Number(match[4] ?? 0) };
}

function nameOf(authority: string): string {
  const name = authority.replace(/:\d+$/, '');
  return isIP(name.replace(/^\[|\]$/g, '')) === 0 ? name : '';
}

export function addressText(ip: string, port: number): string {
  return ip === '' ? `:${port}` : formatAddress(ip, port);
}
