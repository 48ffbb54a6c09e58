// The HTTP RBAC filter beside Envoy: policies that are made up, each for a route of its own, and requests that fit some of them.
// Who gets what answer, with which details and dynamic metadata, and what was counted, must be the same.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { pem } from './patient.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const GENERATED = 300;
/** Requests for each made-up policy. */
const REQUESTS = 6;
const SEED = 20261121;
const PATIENCE_MS = 40_000;

type Json = Readonly<Record<string, unknown>>;

const TYPE = 'type.googleapis.com/envoy.extensions.';
const RBAC = `${TYPE}filters.http.rbac.v3.RBAC`;
const MATCHING = `${TYPE}matching.common_inputs.`;
const LOG_FORMAT =
  '%REQ(X-N)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS% %DYNAMIC_METADATA(envoy.filters.http.rbac)% %DYNAMIC_METADATA(envoy.common)%';

/** mulberry32: the same numbers in each run. */
class Dice {
  #state = SEED;
  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
}
const dice = new Dice();

const ident = (name: string): Json => ({ ident_expr: { name } });
const text = (string_value: string): Json => ({ const_expr: { string_value } });
const select = (operand: Json, field: string): Json => ({ select_expr: { operand, field } });
const call = (name: string, ...args: readonly Json[]): Json => ({ call_expr: { function: name, args } });
const CONDITIONS: readonly Json[] = [
  call('_==_', select(ident('request'), 'path'), text('/admin')),
  call('_==_', call('_[_]', select(ident('request'), 'headers'), text('role')), text('root')),
  call('_||_', call('_==_', select(ident('request'), 'method'), text('GET')), {
    const_expr: { bool_value: false },
  }),
  call('_<_', select(ident('source'), 'port'), { const_expr: { int64_value: '5' } }),
  // Without a value of that name it comes to an error.
  call('_==_', call('_[_]', select(ident('request'), 'headers'), text('absent')), text('x')),
  call('_&&_', call('_==_', select(ident('connection'), 'mtls'), { const_expr: { bool_value: true } }), {
    const_expr: { bool_value: true },
  }),
];
const TEXTS: readonly Json[] = [
  { exact: 'root' },
  { exact: 'ROOT', ignore_case: true },
  { prefix: 'ro' },
  { suffix: 't' },
  { contains: 'oo' },
  { safe_regex: { regex: 'r.*|guest' } },
];
const HEADERS: readonly Json[] = [
  ...TEXTS.map((string_match) => ({ name: 'role', string_match })),
  { name: 'role', present_match: true },
  { name: 'role', present_match: false },
  { name: 'level', range_match: { start: 3, end: 7 } },
  { name: 'role', string_match: { exact: 'root' }, invert_match: true },
  { name: 'role', string_match: { exact: '' }, treat_missing_header_as_empty: true },
  { name: ':method', string_match: { exact: 'POST' } },
  { name: ':path', string_match: { suffix: 'x=1' } },
  { name: ':authority', string_match: { prefix: 'b.' } },
];
const PATHS: readonly Json[] = [
  { exact: '/admin' },
  { prefix: '/adm' },
  { suffix: '/x' },
  { exact: '/ADMIN', ignore_case: true },
  { safe_regex: { regex: '/[a-z]+/x' } },
].map((path) => ({ path }));
const RANGES: readonly Json[] = [
  { address_prefix: '127.0.0.0', prefix_len: 8 },
  { address_prefix: '10.1.0.0', prefix_len: 16 },
  { address_prefix: '::1', prefix_len: 128 },
];
const NAMES: readonly Json[] = [
  { exact: 'sni.example.com' },
  { suffix: 'example.com' },
  { contains: 'client' },
  { prefix: 'spiffe://' },
  { safe_regex: { regex: '.*' } },
];
/** Left by the filter before. */
const METADATA: readonly Json[] = ['allowed', 'denied'].map((exact) => ({
  filter: 'envoy.filters.http.rbac',
  path: [{ key: 'first_shadow_engine_result' }],
  value: { string_match: { exact } },
}));
const OF_ROUTE: readonly Json[] = ['yes', 'no'].map((exact) => ({
  filter: 'of.route',
  path: [{ key: 'open' }],
  value: { string_match: { exact } },
}));
const SOURCED: readonly Json[] = [
  ...METADATA.map((metadata_matcher) => ({ metadata_matcher, metadata_source: 'DYNAMIC' })),
  ...OF_ROUTE.map((metadata_matcher) => ({ metadata_matcher, metadata_source: 'ROUTE' })),
];

const template = (path_template: string): Json => ({
  name: 'envoy.path.match.uri_template.uri_template_matcher',
  typed_config: { '@type': `${TYPE}path.match.uri_template.v3.UriTemplateMatchConfig`, path_template },
});
const PERMISSIONS: readonly (() => Json)[] = [
  () => ({ any: true }),
  () => ({ header: dice.of(HEADERS) }),
  () => ({ header: dice.of(HEADERS) }),
  () => ({ url_path: dice.of(PATHS) }),
  () => ({ url_path: dice.of(PATHS) }),
  () => ({ destination_ip: dice.of(RANGES) }),
  () => ({
    destination_port_range: dice.of([
      { start: 1, end: 65_536 },
      { start: 1, end: 2 },
    ]),
  }),
  () => ({ destination_port: 1 }),
  () => ({ metadata: dice.of(METADATA) }),
  () => ({ sourced_metadata: dice.of(SOURCED) }),
  () => ({ requested_server_name: dice.of(NAMES) }),
  () => ({ uri_template: template(dice.of(['/{a}/x', '/admin', '/{all=**}'])) }),
];
const PRINCIPALS: readonly (() => Json)[] = [
  () => ({ any: true }),
  () => ({ header: dice.of(HEADERS) }),
  () => ({ url_path: dice.of(PATHS) }),
  () => ({ authenticated: dice.of([{}, ...NAMES.map((principal_name) => ({ principal_name }))]) }),
  () => ({ source_ip: dice.of(RANGES) }),
  () => ({ direct_remote_ip: dice.of(RANGES) }),
  () => ({ remote_ip: dice.of(RANGES) }),
  () => ({ metadata: dice.of(METADATA) }),
  () => ({ sourced_metadata: dice.of(SOURCED) }),
  () => ({ filter_state: { key: 'nobody.sets', string_match: { exact: 'x' } } }),
];

/** `set` and `not` are the names of what joins and turns rules around. */
function rule(
  atoms: readonly (() => Json)[],
  names: readonly [string, string, string, string],
  depth = 2,
): Json {
  const [and, or, list, not] = names;
  const parts = (): Json => ({
    [list]: Array.from({ length: 1 + dice.below(3) }, () => rule(atoms, names, depth - 1)),
  });
  const kind = depth === 0 ? 9 : dice.below(10);
  if (kind === 0) return { [and]: parts() };
  if (kind === 1) return { [or]: parts() };
  if (kind === 2) return { [not]: rule(atoms, names, depth - 1) };
  return dice.of(atoms)();
}

function policies(): Json {
  const entries = Array.from({ length: dice.below(4) }, (_, i): [string, Json] => [
    `p ${'dabc'[i]}`,
    {
      permissions: [rule(PERMISSIONS, ['and_rules', 'or_rules', 'rules', 'not_rule'])],
      principals: [rule(PRINCIPALS, ['and_ids', 'or_ids', 'ids', 'not_id'])],
      ...(dice.below(4) === 0 && { condition: dice.of(CONDITIONS) }),
    },
  ]);
  return { action: dice.of(['ALLOW', 'DENY', 'LOG']), policies: Object.fromEntries(entries) };
}

/** What is matched by other than patterns of text. */
const CUSTOM: readonly (readonly [Json, Json])[] = [
  [
    {
      '@type': `${MATCHING}network.v3.DynamicMetadataInput`,
      filter: 'envoy.filters.http.rbac',
      path: [{ key: 'first_shadow_engine_result' }],
    },
    {
      '@type': `${TYPE}matching.input_matchers.metadata.v3.Metadata`,
      value: { string_match: { exact: 'allowed' } },
    },
  ],
  ...CONDITIONS.map((expr): readonly [Json, Json] => [
    { '@type': 'type.googleapis.com/xds.type.matcher.v3.HttpAttributesCelMatchInput' },
    {
      '@type': 'type.googleapis.com/xds.type.matcher.v3.CelMatcher',
      expr_match: { cel_expr_parsed: { expr } },
    },
  ]),
];
const INPUTS: readonly (() => readonly [Json, readonly Json[]])[] = [
  ...['role', ':path', ':method'].map((header_name) => (): readonly [Json, readonly Json[]] => [
    { '@type': 'type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput', header_name },
    TEXTS,
  ]),
  () => [{ '@type': `${MATCHING}network.v3.ServerNameInput` }, NAMES],
  () => [{ '@type': `${MATCHING}network.v3.DestinationIPInput` }, [{ prefix: '127.' }]],
  () => [{ '@type': `${MATCHING}network.v3.SourceIPInput` }, [{ prefix: '127.' }, { exact: '10.1.2.3' }]],
  () => [{ '@type': `${MATCHING}network.v3.DirectSourceIPInput` }, [{ prefix: '127.' }]],
  () => [{ '@type': `${MATCHING}ssl.v3.UriSanInput` }, NAMES],
  () => [{ '@type': `${MATCHING}ssl.v3.DnsSanInput` }, NAMES],
  () => [{ '@type': `${MATCHING}ssl.v3.SubjectInput` }, NAMES],
];

function matcher(): Json {
  const matchers = Array.from({ length: 1 + dice.below(3) }, (_, i) => ({
    predicate: { single_predicate: dice.below(4) === 0 ? customMatch() : textMatch() },
    on_match: action(`m${i}`),
  }));
  return { matcher_list: { matchers }, ...(dice.below(2) === 0 && { on_no_match: action('else') }) };
}

function textMatch(): Json {
  const [typed_config, values] = dice.of(INPUTS)();
  return { input: { name: 'i', typed_config }, value_match: patternOf(dice.of(values)) };
}

function customMatch(): Json {
  const [typed_config, matcher] = dice.of(CUSTOM);
  return { input: { name: 'i', typed_config }, custom_match: { name: 'm', typed_config: matcher } };
}

/** Of a tree, where the engine must be said. */
function patternOf(match: Json): Json {
  const { safe_regex: regex } = match;
  return regex === undefined ? match : { safe_regex: { google_re2: {}, ...(regex as Json) } };
}

function action(name: string): Json {
  const typed_config = {
    '@type': 'type.googleapis.com/envoy.config.rbac.v3.Action',
    name,
    action: dice.of(['ALLOW', 'DENY', 'LOG']),
  };
  return { action: { name: 'action', typed_config } };
}

function rules(): Json {
  const part = (kind: '' | 'shadow_'): Json =>
    dice.below(5) === 0 ? { [`${kind}matcher`]: matcher() } : { [`${kind}rules`]: policies() };
  return {
    ...(dice.below(10) > 0 && part('')),
    ...(dice.below(2) === 0 && part('shadow_')),
    ...(dice.below(3) === 0 && { rules_stat_prefix: 'rules_' }),
    ...(dice.below(3) === 0 && { shadow_rules_stat_prefix: 'shadow_' }),
    track_per_rule_stats: dice.below(2) === 0,
  };
}

interface Request {
  readonly tls: boolean;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

function request(route: number | string): Request {
  const headers: Record<string, string> = {
    'x-route': String(route),
    host: dice.of(['a.example', 'b.example']),
  };
  const role = dice.of(['', 'root', 'guest', 'ROOT', 'none']);
  if (role !== 'none') headers.role = role;
  if (dice.below(3) > 0) headers.level = dice.of(['2', '3', '6', '7', 'x']);
  if (dice.below(3) === 0) headers['x-forwarded-for'] = '10.1.2.3';
  if (dice.below(2) === 0) headers.first = 'yes';
  return {
    tls: dice.below(3) === 0,
    method: dice.of(['GET', 'POST']),
    path: dice.of(['/admin', '/admin?x=1', '/Admin', '/shop/x', '/', '/shop/x?x=1', '/adm#in']),
    headers,
  };
}

describe('the HTTP RBAC filter is that of Envoy', { skip: SKIP }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'rbac-'));
  const sides: { process: EnvoyProcess; log: string }[] = [];
  const configs = Array.from({ length: GENERATED }, rules);
  const requests = [
    ...configs.flatMap((_, i) => Array.from({ length: REQUESTS }, () => request(i))),
    ...['none', 'empty', 'off'].flatMap((route) => Array.from({ length: REQUESTS }, () => request(route))),
  ];

  before(async () => {
    for (const command of [undefined, PILOTFISH]) {
      const log = path.join(directory, `${sides.length}.log`);
      sides.push({ process: await EnvoyProcess.start(bootstrap(configs, log), command), log });
    }
  });
  after(async () => {
    for (const { process } of sides) await process.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('answers, details, dynamic metadata and stats', async () => {
    const [expected, actual] = await Promise.all(
      sides.map(async ({ process, log }) => {
        const answers: string[] = [];
        for (const [n, each] of requests.entries()) answers.push(await send(process, each, n));
        const lines = await linesOf(log, requests.length);
        const stats = await (await fetch(`${process.admin}/stats?filter=rbac`)).text();
        return { answers, lines, stats: stats.split('\n').sort() };
      }),
    );
    const first = expected.lines.findIndex((line, n) => line !== actual.lines[n]);
    const about = first < 0 ? '' : storyOf(requests[first], configs);
    assert.deepEqual(actual.lines, expected.lines, about);
    assert.deepEqual(actual.answers, expected.answers);
    assert.deepEqual(actual.stats, expected.stats);
    assert.ok(
      new Set(expected.lines.map((line) => line.replace(/^\d+/, ''))).size > 20,
      'many different outcomes',
    );
  });
});

function storyOf({ headers, ...rest }: Request, configs: readonly Json[]): string {
  return JSON.stringify({ ...rest, headers, rules: configs[Number(headers['x-route'])] }, undefined, 1);
}

function bootstrap(configs: readonly Json[], log: string): Json {
  const route = (name: string, config?: Json): Json => ({
    match: { prefix: '/', headers: [{ name: 'x-route', string_match: { exact: name } }] },
    direct_response: { status: 200 },
    metadata: { filter_metadata: { 'of.route': { open: Number(name) % 2 === 0 ? 'yes' : 'no' } } },
    ...(config && { typed_per_filter_config: { rbac: config } }),
  });
  const perRoute = `${TYPE}filters.http.rbac.v3.RBACPerRoute`;
  const routes = [
    ...configs.map((config, i) => route(String(i), { '@type': perRoute, rbac: config })),
    route('none', { '@type': perRoute }),
    route('empty', { '@type': perRoute, rbac: { rules: {} } }),
    route('off', { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig', disabled: true }),
  ];
  const first = {
    '@type': RBAC,
    shadow_rules: {
      policies: {
        f: { permissions: [{ header: { name: 'first', present_match: true } }], principals: [{ any: true }] },
      },
    },
    shadow_rules_stat_prefix: 'first_',
  };
  const own = { '@type': RBAC, rules: {}, rules_stat_prefix: 'own', shadow_rules_stat_prefix: 'own_shadow' };
  const manager = {
    '@type': `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    use_remote_address: true,
    xff_num_trusted_hops: 1,
    access_log: [
      {
        name: 'log',
        typed_config: {
          '@type': `${TYPE}access_loggers.file.v3.FileAccessLog`,
          path: log,
          log_format: { text_format_source: { inline_string: `${LOG_FORMAT}\n` } },
        },
      },
    ],
    route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
    http_filters: [
      { name: 'first', typed_config: first },
      { name: 'rbac', typed_config: own },
      { name: 'router', typed_config: { '@type': `${TYPE}filters.http.router.v3.Router` } },
    ],
  };
  const tls = {
    '@type': `${TYPE}transport_sockets.tls.v3.DownstreamTlsContext`,
    common_tls_context: {
      tls_certificates: [
        {
          certificate_chain: { inline_string: pem('server.pem') },
          private_key: { inline_string: pem('server.key') },
        },
      ],
      validation_context: { trusted_ca: { inline_string: pem('ca.pem') } },
    },
  };
  const listener = (name: string, more: Json, listenerFilters: readonly Json[]): Json => ({
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    listener_filters: listenerFilters,
    filter_chains: [{ filters: [{ name: 'manager', typed_config: manager }], ...more }],
  });
  const inspector = {
    name: 'tls',
    typed_config: { '@type': `${TYPE}filters.listener.tls_inspector.v3.TlsInspector` },
  };
  return {
    static_resources: {
      listeners: [
        listener('plain', {}, []),
        listener('tls', { transport_socket: { name: 'tls', typed_config: tls } }, [inspector]),
      ],
    },
  };
}

function send({ ports }: EnvoyProcess, { tls, method, path, headers }: Request, n: number): Promise<string> {
  const options = {
    host: '127.0.0.1',
    port: ports.get(tls ? 'tls' : 'plain'),
    method,
    path,
    headers: { ...headers, 'x-n': String(n) },
    agent: tls ? AGENT : PLAIN_AGENT,
  };
  return new Promise((resolve, reject) => {
    const sent = (tls ? https : http).request(options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.on('end', () => resolve(`${response.statusCode} ${response.headers['content-type']} ${body}`));
    });
    sent.on('error', reject);
    sent.end();
  });
}

const AGENT = new https.Agent({
  keepAlive: true,
  ca: pem('ca.pem'),
  cert: pem('client.pem'),
  key: pem('client.key'),
  servername: 'sni.example.com',
  rejectUnauthorized: false,
});
const PLAIN_AGENT = new http.Agent({ keepAlive: true });

/** In the order of the requests. */
async function linesOf(log: string, count: number): Promise<string[]> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1);
    if (lines.length >= count) return lines.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    assert.ok(performance.now() < deadline, `${lines.length} lines`);
    await sleep(50);
  }
}
