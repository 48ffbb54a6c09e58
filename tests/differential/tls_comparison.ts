// Runs TLS handshakes through Envoy and through Pilotfish and makes one test of each case: what clients and upstreams saw of
// the certificates, the access logs of stream and connection, and the `ssl.*` stats must be the same.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { address, TYPE } from './proxy_scenario.ts';

type Json = Readonly<Record<string, unknown>>;

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
/** For logs to be flushed and stats to be merged. */
const SETTLE_MS = 500;
const CLIENT_TIMEOUT_MS = 5_000;

/** One connection with one request. */
export interface Client {
  /** Options of the handshake; `'plain'`: none is made. */
  readonly tls?: tls.ConnectionOptions | 'plain';
  /** `host.example.com` by default. */
  readonly host?: string;
  /** Further header lines of the request. */
  readonly headers?: readonly string[];
  /** Offers the session of the client before. */
  readonly resume?: boolean;
}

export interface TlsCase {
  readonly name: string;
  /** Fields of the DownstreamTlsContext; none: the listener speaks plaintext. */
  readonly downstream?: Json;
  /** Fields of the UpstreamTlsContext; none: the upstream is spoken to in plaintext. */
  readonly upstream?: Json;
  /** Options of the upstream's TLS server; none: it speaks plaintext. */
  readonly server?: tls.TlsOptions;
  /** Merged over the action of the only route. */
  readonly route?: Json;
  /** Merged over the HttpConnectionManager. */
  readonly manager?: Json;
  /** Merged over the cluster. */
  readonly cluster?: Json;
  /** Merged over the only endpoint. */
  readonly endpoint?: Json;
  /** In place of the only filter chain; each gets the filters and the TLS context given. */
  readonly chains?: readonly { readonly match: Json; readonly downstream?: Json }[];
  readonly clients: readonly Client[];
  /** Parts of lines of logs and stats that differ, with the reason. */
  readonly exceptions?: Readonly<Record<string, string>>;
}

/** All of Envoy's that are about TLS, and what else a handshake decides. */
const OPERATORS = [
  ...'URI_SAN DNS_SAN IP_SAN EMAIL_SAN OTHERNAME_SAN SUBJECT ISSUER SERIAL FINGERPRINT_256 FINGERPRINT_1'
    .concat(' CHAIN_FINGERPRINTS_1 CHAIN_FINGERPRINTS_256 CHAIN_SERIALS ISSUER_FINGERPRINT_256 ISSUER_SERIAL')
    .concat(' CERT CERT_V_START CERT_V_END')
    .split(' ')
    .map((name) => `DOWNSTREAM_PEER_${name}`),
  ...'URI_SAN DNS_SAN IP_SAN EMAIL_SAN OTHERNAME_SAN SUBJECT'
    .split(' ')
    .map((name) => `DOWNSTREAM_LOCAL_${name}`),
  ...'URI_SAN DNS_SAN IP_SAN SUBJECT ISSUER CERT CERT_V_START CERT_V_END'
    .split(' ')
    .map((name) => `UPSTREAM_PEER_${name}`),
  ...'URI_SAN DNS_SAN IP_SAN'.split(' ').map((name) => `UPSTREAM_LOCAL_${name}`),
  ...['DOWNSTREAM', 'UPSTREAM'].flatMap((side) => [
    `${side}_TLS_CIPHER`,
    `${side}_TLS_VERSION`,
    `${side}_TLS_GROUP`,
  ]),
  'DOWNSTREAM_TLS_SESSION_ID',
  'UPSTREAM_TLS_SESSION_ID',
  'UPSTREAM_TRANSPORT_FAILURE_REASON',
  'DOWNSTREAM_TRANSPORT_FAILURE_REASON',
  'CONNECTION_TERMINATION_DETAILS',
  'REQUESTED_SERVER_NAME',
  'FILTER_CHAIN_NAME',
  'RESPONSE_CODE',
  'RESPONSE_CODE_DETAILS',
  'RESPONSE_FLAGS',
];

/** Registers the tests. */
export function compareTls(title: string, cases: readonly TlsCase[]): void {
  describe(title, { skip: SKIP }, () => {
    let outcomes: string[][] = [];
    before(async () => {
      outcomes = [await outcomesOf(cases, PILOTFISH), await outcomesOf(cases, [ENVOY_BIN!])];
    });
    cases.forEach((one, index) => {
      test(one.name, () => assert.equal(outcomes[0][index], outcomes[1][index]));
    });
  });
}

export async function outcomesOf(cases: readonly TlsCase[], command: readonly string[]): Promise<string[]> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'tls-'));
  const upstreams = await Promise.all(cases.map((one) => listen(one.server)));
  const listeners = cases.map((one, index) => listenerOf(one, index, directory));
  const clusters = cases.map((one, index) => clusterOf(one, index, portOf(upstreams[index])));
  let proxy: EnvoyProcess | undefined;
  try {
    proxy = await EnvoyProcess.start({ static_resources: { listeners, clusters } }, command);
    const seen: string[][] = [];
    for (const [index, { clients }] of cases.entries())
      seen.push(await talk(clients, proxy.ports.get(`c${index}`)!));
    await sleep(SETTLE_MS);
    const stats = (await (await fetch(`${proxy.admin}/stats?usedonly`)).text()).split('\n');
    return cases.map((one, index) => {
      const port = proxy!.ports.get(`c${index}`)!;
      const logs = ['stream', 'connection'].map((kind) => logOf(one, directory, index, kind));
      const text = [...seen[index], ...logs, ...statsOf(one, index, stats)].join('\n');
      return text
        .replaceAll(String(port), '<port>')
        .replaceAll(String(portOf(upstreams[index])), '<upstream>');
    });
  } finally {
    await proxy?.stop();
    for (const upstream of upstreams) upstream.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function statsOf(one: TlsCase, index: number, stats: readonly string[]): string[] {
  const prefixes = [`listener.c${index}.`, `cluster.c${index}.`];
  return stats.filter(
    (line) =>
      prefixes.some((prefix) => line.startsWith(prefix)) &&
      /\.(?:ssl|\w+_ssl_socket_factory)\./.test(line) &&
      !/: 0$/.test(line) &&
      !isExcepted(one, line),
  );
}

function isExcepted({ exceptions = {} }: TlsCase, line: string): boolean {
  return Object.keys(exceptions).some((part) => line.includes(part));
}

/** In the order of their text: connections are logged when they end, which is not the order in which they began. */
function logOf(one: TlsCase, directory: string, index: number, kind: string): string {
  const file = path.join(directory, `${kind}${index}`);
  const lines = existsSync(file) ? readFileSync(file, 'latin1').trimEnd().split('\n') : [];
  const shown = lines.map((line) => {
    const facts = line.replace(/(SESSION_ID=)[0-9a-f]{64}/g, '$1<id>').split('; ');
    // Of a handshake that failed Envoy tells what would have been agreed on, also where nothing was.
    const failed = facts.some((fact) => /^DOWNSTREAM_TRANSPORT_FAILURE_REASON=[^-]/.test(fact));
    const hidden = failed ? /^DOWNSTREAM_TLS_|=-$/ : /=-$/;
    return facts.filter((fact) => !hidden.test(fact) && !isExcepted(one, fact)).join('\n  ');
  });
  return [`--- ${kind} log`, ...shown.sort()].join('\n');
}

function accessLog(file: string): Json {
  const values = OPERATORS.map((name) => `${name}=%${name}%`).join('; ');
  return {
    name: 'log',
    typed_config: {
      '@type': `${TYPE}access_loggers.file.v3.FileAccessLog`,
      path: file,
      log_format: { text_format_source: { inline_string: `${values}\n` } },
    },
  };
}

function listenerOf(one: TlsCase, index: number, directory: string): Json {
  const manager = {
    '@type': `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'http',
    delayed_close_timeout: '0.1s',
    access_log: [accessLog(path.join(directory, `stream${index}`))],
    route_config: {
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, route: { cluster: `c${index}`, ...one.route } }],
        },
      ],
    },
    http_filters: [{ name: 'router', typed_config: { '@type': `${TYPE}filters.http.router.v3.Router` } }],
    ...one.manager,
  };
  const chains = one.chains ?? [{ match: undefined, downstream: one.downstream }];
  return {
    name: `c${index}`,
    stat_prefix: `c${index}`,
    address: address(0),
    access_log: [accessLog(path.join(directory, `connection${index}`))],
    ...(one.chains && {
      listener_filters: [
        { name: 'tls', typed_config: { '@type': `${TYPE}filters.listener.tls_inspector.v3.TlsInspector` } },
      ],
    }),
    filter_chains: chains.map(({ match, downstream }, number) => ({
      name: `chain${number}`,
      filter_chain_match: match,
      filters: [{ name: 'http', typed_config: manager }],
      transport_socket: downstream && socket('Downstream', downstream),
    })),
  };
}

function clusterOf(one: TlsCase, index: number, port: number): Json {
  const name = `c${index}`;
  const endpoint = { endpoint: { address: address(port) }, ...one.endpoint };
  return {
    name,
    connect_timeout: '2s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
    ...(one.upstream && { transport_socket: socket('Upstream', one.upstream) }),
    ...one.cluster,
  };
}

export function socket(side: 'Downstream' | 'Upstream', context: Json): Json {
  const typed_config = { '@type': `${TYPE}transport_sockets.tls.v3.${side}TlsContext`, ...context };
  return { name: 'envoy.transport_sockets.tls', typed_config };
}

/** An upstream that answers with what it was asked, and with what it knows of the connection. One request a connection. */
async function listen(options: tls.TlsOptions | undefined): Promise<net.Server> {
  const serve = (peer: net.Socket): void => {
    peer.on('error', () => {});
    let head = '';
    peer.setEncoding('latin1').on('data', (text: string) => {
      head += text;
      if (!head.endsWith('\r\n\r\n')) return;
      const body = `${knownOf(peer)}\n${interesting(head)}`;
      peer.end(
        `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    });
  };
  const server = options === undefined ? net.createServer(serve) : tls.createServer(options, serve);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return server;
}

function knownOf(peer: net.Socket): string {
  if (!(peer instanceof tls.TLSSocket)) return 'upstream saw plaintext';
  const subject = peer.getPeerX509Certificate()?.subject.replaceAll('\n', ',');
  const facts = { sni: peer.servername, alpn: peer.alpnProtocol, version: peer.getProtocol(), subject };
  return `upstream saw ${JSON.stringify(facts)}`;
}

function interesting(head: string): string {
  return head
    .split('\r\n')
    .filter((line) => /^x-forwarded-(?:client-cert|proto)/i.test(line))
    .join('\n');
}

function portOf(server: net.Server): number {
  return (server.address() as AddressInfo).port;
}

async function talk(clients: readonly Client[], port: number): Promise<string[]> {
  const seen: string[] = [];
  let session: Buffer | undefined;
  for (const [index, client] of clients.entries()) {
    const result = await request(client, port, client.resume ? session : undefined);
    session = result.session;
    seen.push(`--- client ${index}: ${result.text}`);
  }
  return seen;
}

interface Result {
  readonly text: string;
  readonly session: Buffer | undefined;
}

/** A refused client hears of it in many ways: as an alert, or as the end of the connection; they are one here. */
function request(client: Client, port: number, session: Buffer | undefined): Promise<Result> {
  const { promise, resolve } = Promise.withResolvers<Result>();
  let kept: Buffer | undefined;
  let answer = '';
  const peer =
    client.tls === 'plain'
      ? net.connect(port, '127.0.0.1')
      : tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...client.tls, session });
  const finish = (): void => {
    clearTimeout(timer);
    const body = answer.split('\r\n\r\n')[1];
    resolve({
      text: body === undefined ? 'refused' : `${facts}${staple}\n${answer.slice(9, 12)} ${body}`,
      session: kept,
    });
  };
  let facts = 'plaintext';
  let staple = '';
  const timer = setTimeout(() => peer.destroy(), CLIENT_TIMEOUT_MS);
  peer.on('session', (ticket: Buffer) => (kept = ticket));
  peer.on('error', () => {});
  peer.on('close', finish);
  peer.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')));
  peer.on(
    'OCSPResponse',
    (response: Buffer | null) => (staple = ` with ${response?.length ?? 0} bytes of OCSP`),
  );
  peer.on('secureConnect', () => (facts = handshakeOf(peer as tls.TLSSocket)));
  peer.write(
    [
      'GET / HTTP/1.1',
      `host: ${client.host ?? 'host.example.com'}`,
      'connection: close',
      ...(client.headers ?? []),
      '',
      '',
    ].join('\r\n'),
  );
  return promise;
}

function handshakeOf(peer: tls.TLSSocket): string {
  return JSON.stringify({
    version: peer.getProtocol(),
    cipher: peer.getCipher().name,
    alpn: peer.alpnProtocol,
    reused: peer.isSessionReused(),
    subject: peer.getPeerX509Certificate()?.subject.replaceAll('\n', ','),
  });
}
