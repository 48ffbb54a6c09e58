// Scenarios of HTTP/1 retold in HTTP/2: the same requests from a client of HTTP/2, the same answers from an upstream of HTTP/2.
// What cannot be said in HTTP/2 (framing, upgrades, connections that break) stays with HTTP/1.

import type { Http2Request } from './http2_client.ts';
import type { Http2Answer } from './http2_upstream.ts';
import type { Scenario } from './proxy_scenario.ts';
import { Messages } from './raw_messages.ts';
import type { Answer } from './scripted_upstream.ts';

/** Of one connection, and so not in HTTP/2 (RFC 9113 8.2.2). */
const CONNECTION_HEADERS = new Set([
  'connection',
  'upgrade',
  'keep-alive',
  'proxy-connection',
  'http2-settings',
  'te',
]);

interface Message {
  readonly start: string;
  readonly host: string | undefined;
  readonly headers: Record<string, string[]>;
  readonly body: string;
  readonly trailers: Record<string, string[]> | undefined;
}

/** The client speaks HTTP/2. Undefined where it cannot. */
export function fromHttp2(scenario: Scenario): Scenario | undefined {
  const { connections, http2, staggerMs, networkFilters } = scenario;
  if (connections === undefined || http2 !== undefined || staggerMs !== undefined) return undefined;
  if (networkFilters !== undefined) return undefined;
  const retold: { requests: Http2Request[] }[] = [];
  for (const steps of connections) {
    const requests: Http2Request[] = [];
    for (const step of steps) {
      const texts = typeof step === 'string' ? messages('request', step) : undefined;
      if (texts === undefined) return undefined;
      for (const text of texts) {
        const request = requestOf(text);
        if (request === undefined) return undefined;
        requests.push(request);
      }
    }
    retold.push({ requests });
  }
  return { ...scenario, connections: undefined, http2: retold };
}

/** The upstream speaks HTTP/2. Undefined where it cannot. */
export function toHttp2(scenario: Scenario): Scenario | undefined {
  const { upstreams = [{}], cluster, clusters, http2Upstreams, networkFilters } = scenario;
  if (http2Upstreams !== undefined || networkFilters !== undefined || clusters !== undefined)
    return undefined;
  if (
    cluster !== undefined &&
    ('typed_extension_protocol_options' in cluster || 'load_assignment' in cluster)
  )
    return undefined;
  const retold: { answers?: readonly Http2Answer[]; early?: boolean }[] = [];
  for (const script of upstreams) {
    if (typeof script === 'string' || script.echo || script.greeting !== undefined) return undefined;
    const answers = script.answers?.map(answerOf);
    if (answers?.includes(undefined)) return undefined;
    retold.push({
      ...(answers === undefined ? {} : { answers: answers as Http2Answer[] }),
      ...(script.early === undefined ? {} : { early: script.early }),
    });
  }
  return { ...scenario, upstreams: undefined, http2Upstreams: retold };
}

/** The whole messages in `text`, or undefined when there is more or less. */
function messages(kind: 'request' | 'response', text: string): readonly string[] | undefined {
  const reader = new Messages(kind);
  reader.add(Buffer.from(text, 'latin1'));
  return reader.unread === '' && reader.texts.length > 0 ? reader.texts : undefined;
}

function requestOf(text: string): Http2Request | undefined {
  const message = parse(text);
  const [method, target, version] = message?.start.split(' ') ?? [];
  if (
    message?.host === undefined ||
    version !== 'HTTP/1.1' ||
    !target.startsWith('/') ||
    method === 'CONNECT'
  )
    return undefined;
  const pseudo = { ':method': method, ':authority': message.host, ':scheme': 'http', ':path': target };
  return {
    headers: { ...pseudo, ...message.headers },
    ...(message.body === '' && message.trailers === undefined ? {} : { body: [message.body] }),
    ...(message.trailers === undefined ? {} : { trailers: message.trailers }),
  };
}

function answerOf(answer: Answer): Http2Answer | undefined {
  const texts = typeof answer === 'string' ? messages('response', answer) : undefined;
  const message = texts?.length === 1 ? parse(texts[0]) : undefined;
  const status = /^HTTP\/1\.1 (\d{3})/.exec(message?.start ?? '')?.[1];
  // A body that the answer to HEAD only announces is not there in HTTP/2 either.
  if (message === undefined || status === undefined || Number(status) < 200) return undefined;
  return {
    headers: { ':status': status, ...message.headers },
    ...(message.body === '' ? {} : { body: [message.body] }),
    ...(message.trailers === undefined ? {} : { trailers: message.trailers }),
  };
}

/** Undefined for what HTTP/2 cannot say. */
function parse(text: string): Message | undefined {
  const end = text.indexOf('\r\n\r\n');
  const [start, ...lines] = text.slice(0, end).split('\r\n');
  const fields = parseFields(lines);
  if (fields === undefined || Object.keys(fields).some((name) => CONNECTION_HEADERS.has(name)))
    return undefined;
  const { host, 'transfer-encoding': coding, ...headers } = fields;
  if ((host?.length ?? 0) > 1) return undefined;
  const rest = text.slice(end + 4);
  if (coding === undefined) return { start, host: host?.[0], headers, body: rest, trailers: undefined };
  if (coding[0] !== 'chunked' || 'content-length' in headers) return undefined;
  const { body, trailers } = unchunk(rest);
  return { start, host: host?.[0], headers, body, trailers };
}

function parseFields(lines: readonly string[]): Record<string, string[]> | undefined {
  const fields: Record<string, string[]> = {};
  for (const line of lines) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*?)[ \t]*$/.exec(line);
    if (match === null) return undefined;
    (fields[match[1].toLowerCase()] ??= []).push(match[2]);
  }
  return fields;
}

function unchunk(text: string): { body: string; trailers: Record<string, string[]> | undefined } {
  let body = '';
  let at = 0;
  for (;;) {
    const line = text.indexOf('\r\n', at);
    const length = Number.parseInt(text.slice(at, line), 16);
    if (length === 0) {
      const lines = text
        .slice(line + 2)
        .split('\r\n')
        .filter((one) => one !== '');
      return { body, trailers: lines.length === 0 ? undefined : parseFields(lines) };
    }
    body += text.slice(line + 2, line + 2 + length);
    at = line + 2 + length + 2;
  }
}
