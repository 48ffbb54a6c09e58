// The same expressions over the same requests in a real Envoy and here: in access log filters, as text, in JSON, and what is
// refused when the configuration is read.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '../../server/api/config_error.ts';
import { compileCel } from '../../server/common/expr/cel_expression.ts';
import { fakeFactoryContext } from '../fakes/factory_context.ts';
import { namedBackend, portOf } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH, validate } from './envoy_process.ts';
import { talk } from './raw_client.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const TYPE = 'type.googleapis.com/envoy.extensions.';

/** Expressions whose values are the same in both, given the same request. */
const EXACT = [
  ...[
    'path',
    'url_path',
    'query',
    'host',
    'scheme',
    'method',
    'protocol',
    'size',
    'total_size',
    'referer',
  ].map((name) => `request.${name}`),
  ...[
    'headers',
    "headers['x-a']",
    "headers['X-A']",
    "headers['x-uni']",
    "headers['none']",
    'headers.none',
    'nope',
  ].map((name) => `request.${name}`),
  ...['code', 'flags', 'code_details', 'size', 'trailers', 'grpc_status'].map((name) => `response.${name}`),
  ...['mtls', 'requested_server_name', 'tls_version', 'termination_details'].map(
    (name) => `connection.${name}`,
  ),
  ...[
    'address',
    'port',
    'transport_failure_reason',
    'request_attempt_count',
    'locality.region',
    'tls_version',
  ].map((name) => `upstream.${name}`),
  ...['metadata.filter_metadata', "metadata.filter_metadata['x']", 'filter_state', "filter_state['x']"],
  ...[
    'node.id',
    'node.cluster',
    'cluster_name',
    "cluster_metadata.filter_metadata['cm']['a']",
    'route_name',
  ].map((name) => `xds.${name}`),
  ...[
    'virtual_host_name',
    'filter_chain_name',
    'listener_direction',
    "listener_metadata.filter_metadata['lm'].a",
    'nope',
  ].map((name) => `xds.${name}`),
  "xds.cluster_metadata.filter_metadata['cm']",
  "xds.route_metadata.filter_metadata['rt']['l']",
  'nope',
  'source',
  ...[
    '1',
    '1u',
    '1.5',
    '-1',
    '1e30',
    '0.1+0.2',
    '100000000.0',
    '123456.789',
    '1e-7',
    "'a'",
    "b'ab'",
    'null',
    'true',
  ],
  ...['[1,2]', "{'a':1}", 'type(1)', 'type(1) == int', '9007199254740993'],
  ...[
    "duration('90s')",
    "duration('1.5s')",
    "duration('3h')",
    "duration('1ms')",
    "duration('-90s')",
    "duration('0s')",
  ],
  ...["timestamp('2020-01-01T00:00:00.5Z')", "timestamp('2020-01-01T00:00:00Z')"],
  ...["'a'+'b'", '[1]+[2]', "b'a'+b'b'", '1/0', '5 / 2', '7.0 / 2.0', '1 + 1.0', '-7 / 2'],
  ...["request.headers['x-a'].startsWith('h')", "request.headers['none'] == ''", "'x-a' in request.headers"],
  ...['has(request.headers.none)', 'has(request.path)', 'has(request.nope)'],
  ...[
    "request.method == 'GET' && response.code == 200",
    'response.code in [200, 503]',
    'response.code >= 500',
  ],
  ...[
    'request.nope || true',
    'true || request.nope',
    'false && request.nope',
    'request.nope && true',
    '!request.nope',
  ],
  ...[
    "request.headers['x-a'].matches('^h.*o$')",
    "request.headers['x-a'].matches('ell')",
    "request.headers['x-a'].size()",
  ],
  ...[
    "int('12') + 1",
    'double(3) / 2.0',
    "'b' > 'a'",
    'response.code == 200u',
    'response.code == 200.0',
    'uint(5)',
  ],
  ...[
    "size('é')",
    '!true ? 1 : 2',
    "duration('1s') + duration('1s')",
    '1 in {1: 2}',
    "bytes('a') == b'a'",
    'dyn(1) == 1',
  ],
  ...['request.time.getFullYear() > 2000', "request.time > timestamp('2020-01-01T00:00:00Z')"],
  'request.time - request.time',
];
/** Those of which only the form is the same: digits differ. */
const FORM = [
  ...['time', 'duration', 'id'].map((name) => `request.${name}`),
  ...['source.address', 'source.port', 'destination.address', 'destination.port', 'response.backend_latency'],
  'upstream.local_address',
];
const FILTERS = [
  'response.code >= 400',
  "request.headers['x-a'] == 'hello'",
  "request.url_path.startsWith('/up')",
  "has(request.headers.none) || response.code_details == 'direct_response'",
  "'text'",
  'nosuch.thing',
  "request.path != '/up/x?a=1' && request.method in ['GET']",
];
const REFUSED = [
  ...[
    'response.code >= ',
    '',
    'foo(1)',
    "request.foo('a')",
    "'abc'.matches('(a')",
    "request.headers['a'].lowerAscii() == 'b'",
  ],
  ...[
    'string(1)',
    '[1,2].exists(x, x > 1)',
    '[1].map(x, x+1)[0] == 2',
    "'a'.split(',')",
    'optional.of(1)',
    'request.?path',
  ],
  "has(request.headers['a'])",
];

const REQUESTS = ['/up/x?a=1', '/up/y', '/dead', '/direct'];

function fileLog(file: string, format: object | undefined, filter?: object): object {
  const typed_config = {
    '@type': `${TYPE}access_loggers.file.v3.FileAccessLog`,
    path: file,
    ...(format && { log_format: format }),
  };
  return { name: 'f', typed_config, ...(filter && { filter }) };
}

function filterOf(expression: string, more: object = {}): object {
  const typed_config = {
    '@type': `${TYPE}access_loggers.filters.cel.v3.ExpressionFilter`,
    expression,
    ...more,
  };
  return { extension_filter: { name: 'cel', typed_config } };
}

function bootstrap(accessLogs: readonly object[], backendPort: number): object {
  const cluster = (name: string, port: number): object => ({
    name,
    metadata: { filter_metadata: { cm: { a: 'b', n: 1.5, t: true } } },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          locality: { region: 'r' },
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } },
          ],
        },
      ],
    },
  });
  const http = {
    '@type': `${TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'x',
    preserve_external_request_id: true,
    access_log: accessLogs,
    route_config: {
      name: 'rc',
      virtual_hosts: [
        {
          name: 'vh',
          domains: ['*'],
          routes: [
            {
              name: 'up',
              metadata: { filter_metadata: { rt: { l: [1, 'x', null] } } },
              match: { prefix: '/up' },
              route: { cluster: 'up' },
            },
            { name: 'dead', match: { prefix: '/dead' }, route: { cluster: 'dead' } },
            { name: 'direct', match: { prefix: '/direct' }, direct_response: { status: 418 } },
          ],
        },
      ],
    },
    http_filters: [{ name: 'r', typed_config: { '@type': `${TYPE}filters.http.router.v3.Router` } }],
  };
  return {
    node: { id: 'n1', cluster: 'c1' },
    static_resources: {
      clusters: [cluster('up', backendPort), cluster('dead', 1)],
      listeners: [
        {
          name: 'l',
          traffic_direction: 'INBOUND',
          metadata: { filter_metadata: { lm: { a: 'z' } } },
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [{ name: 'fc', filters: [{ name: 'h', typed_config: http }] }],
        },
      ],
    },
  };
}

/** What each of the logs holds after the requests, a line each. */
async function logsOf(
  t: TestContext,
  command: readonly string[],
  logs: (file: (index: number) => string) => readonly object[],
): Promise<readonly string[][]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'cel-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = (index: number): string => path.join(folder, `${index}.log`);
  const backend = await namedBackend('ok');
  const port = portOf(backend);
  t.after(() => backend.close());
  const accessLogs = logs(file);
  const proxy = await EnvoyProcess.start(bootstrap(accessLogs, port), command);
  t.after(() => proxy.stop());
  for (const target of REQUESTS) {
    const headers = 'host: ex.com\r\nx-a: hello\r\nx-uni: \xc3\xa9\r\nuser-agent: u\r\nx-request-id: 1\r\n';
    await talk(proxy.ports.get('l')!, [`GET ${target} HTTP/1.1\r\n${headers}\r\n`]);
  }
  await sleep(400);
  const ports = new RegExp(`\\b${port}\\b`, 'g');
  return accessLogs.map((_, index) =>
    readFileSync(file(index), 'utf8').replace(ports, '1').split('\n').slice(0, -1),
  );
}

/** `%` means something else in a format. */
const escaped = (expression: string): string => expression.replaceAll('%', '%%');

function formats(file: (index: number) => string): readonly object[] {
  const all = [...EXACT, ...FORM];
  const command = (name: string) => all.map((each) => `${escaped(each)} => %${name}(${each})%`).join(';; ');
  const json = (name: string) => Object.fromEntries(all.map((each) => [escaped(each), `%${name}(${each})%`]));
  const texts = [
    command('CEL'),
    command('TYPED_CEL'),
    all
      .slice(0, 6)
      .map((each) => `%CEL(${each}):3%`)
      .join('|'),
  ];
  return [
    ...texts.map((text, index) =>
      fileLog(file(index), { text_format_source: { inline_string: `${text}\n` } }),
    ),
    fileLog(file(3), { json_format: json('CEL') }),
    fileLog(file(4), { json_format: json('TYPED_CEL') }),
    ...FILTERS.map((each, index) =>
      fileLog(file(5 + index), { text_format_source: { inline_string: '%REQ(:PATH)%\n' } }, filterOf(each)),
    ),
  ];
}

/** Digits of what differs by nature become `#`. */
function values(line: string, index: number): readonly (readonly [string, unknown])[] {
  const pairs: [string, unknown][] =
    index < 2
      ? line.split(';; ').map((pair) => pair.split(' => ') as [string, unknown])
      : Object.entries(JSON.parse(line));
  return pairs.map(([name, value]) => {
    if (!FORM.includes(name)) return [name, value];
    return [
      name,
      String(value)
        .replace(/[0-9a-f.]+/g, '#')
        .replace(/[mun]?s$/, ''),
    ];
  });
}

describe('CEL', { skip: SKIP }, () => {
  test('text, JSON and filters are those of Envoy', { timeout: 60_000 }, async (t) => {
    const theirs = await logsOf(t, [ENVOY_BIN!], formats);
    const ours = await logsOf(t, PILOTFISH, formats);
    for (const [index, lines] of theirs.entries()) {
      assert.equal(ours[index]!.length, lines.length, `log ${index}`);
      for (const [request, line] of lines.entries()) {
        if (![0, 1, 3, 4].includes(index)) {
          assert.equal(ours[index]![request], line, `log ${index} of ${REQUESTS[request]}`);
          continue;
        }
        const our = new Map(values(ours[index]![request]!, index));
        const differing = values(line, index).filter(
          ([name, value]) => !isDeepStrictEqual(our.get(name), value),
        );
        const shown = differing.map(([name, value]) => ({ name, envoy: value, pilotfish: our.get(name) }));
        assert.deepEqual(shown, [], `log ${index} of ${REQUESTS[request]}`);
      }
    }
  });

  test('what Envoy refuses is refused', { timeout: 60_000 }, () => {
    const context = fakeFactoryContext();
    for (const expression of REFUSED) {
      const config = bootstrap([fileLog('/dev/null', undefined, filterOf(expression))], 1);
      assert.ok(validate(config) !== undefined, `Envoy takes ${expression}`);
      assert.throws(
        () => compileCel(expression, undefined, context, 'expression', 'filter expression'),
        ConfigError,
        expression,
      );
    }
  });
});
