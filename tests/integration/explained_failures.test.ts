// Failures produced for real, one by one, and what the proxy says of each: which limit, which host, which name, and what to change.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import type { CapturedRequest } from '../../server/common/capture/captured_request.ts';
import type { Schema } from '../../server/main/admin/api/endpoint.ts';
import type { Explanation } from '../../server/main/explain/explanation.ts';
import type { FlagExplanation } from '../../server/main/explain/flags/flag_explanation.ts';
import { schemaErrors } from '../fakes/json_schema.ts';
import { NO_OPENSSL } from '../fakes/public_key_infrastructure.ts';
import { closeUpstreams, failingBootstrap, held } from './failing_bootstrap.ts';
import { ask, eventually, ProxyProcess } from './proxy_process.ts';

type Explained = CapturedRequest & { readonly explanations: readonly FlagExplanation[] };

let proxy: ProxyProcess;
let port: number;
let schemas: Readonly<Record<string, Schema>>;

before(async () => {
  const bootstrap = await failingBootstrap();
  proxy = await ProxyProcess.start('--config-yaml', JSON.stringify(bootstrap), '--concurrency', '1');
  port = await proxy.port('http');
  schemas = JSON.parse((await proxy.admin('/api/openapi.json')).body).components.schemas;
});

after(async () => {
  await proxy?.stop();
  closeUpstreams();
});

function send(path: string, headers: http.OutgoingHttpHeaders = {}, method = 'GET') {
  return ask(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { host: 'shop.example.com', ...headers },
  });
}

/** What is told of the last failed request with `search` in it. */
async function explained(search: string): Promise<Explained> {
  const list = JSON.parse(
    (await proxy.admin(`/api/requests?set=failed&search=${encodeURIComponent(search)}`)).body,
  );
  assert.ok(list.total > 0, `no failed request with ${search}`);
  const { body } = await proxy.admin(`/api/requests/${list.items[0].id}`);
  const request = JSON.parse(body);
  assert.deepEqual(schemaErrors(schemas.CapturedRequest as Schema, request, schemas), [], body);
  return request;
}

/** The explanation of one flag. */
function of({ explanations }: Explained, flag: string): FlagExplanation {
  const found = explanations.find((each) => each.flag === flag);
  assert.ok(found !== undefined, `${flag}: ${JSON.stringify(explanations)}`);
  return found;
}

function value({ evidence }: FlagExplanation, name: string): string {
  const found = evidence.find((each) => each.name === name);
  assert.ok(found !== undefined, `${name}: ${JSON.stringify(evidence)}`);
  return found.value;
}

test('503 UF with a SAN mismatch: the names that were expected and presented', {
  skip: NO_OPENSSL,
}, async () => {
  assert.equal((await send('/mismatch')).status, 503);
  const cause = of(await explained('/mismatch'), 'UF');
  assert.match(
    cause.reason,
    /names 'other\.internal', but cluster 'mismatch' accepts only 'shop\.internal' \(SAN mismatch\)/,
  );
  assert.equal(value(cause, 'SANs presented by the host'), 'other.internal');
  assert.equal(value(cause, 'SANs expected'), 'shop.internal');
  assert.equal(value(cause, 'server name (SNI) sent'), 'shop.internal');
  assert.match(cause.advice.join(' '), /match_typed_subject_alt_names/);
});

test('503 UF with other failures of TLS: what to change', { skip: NO_OPENSSL }, async () => {
  const cases = {
    stranger: [/its certificate was refused, .*unable to get local issuer certificate/, /trusted_ca/],
    expired: [/certificate has expired/, /renew it/],
    plaintext: [/WRONG_VERSION_NUMBER/, /does not speak TLS on this port/],
  } as const;
  for (const [name, [reason, advice]] of Object.entries(cases)) {
    await send(`/${name}`);
    const cause = of(await explained(`/${name}`), 'UF');
    assert.match(cause.reason, reason);
    assert.match(cause.reason, new RegExp(`of cluster '${name}' failed`));
    assert.match(cause.advice.join(' '), advice);
  }
});

test('503 UF: nobody listens', async () => {
  await send('/closed');
  const request = await explained('/closed');
  assert.match(
    of(request, 'UF').reason,
    new RegExp(`^Nobody listens on ${request.host}: the host of cluster 'closed' refused`),
  );
});

test('503 UH: why each host cannot be used', async () => {
  await send('/sick');
  const cause = of(await explained('/sick'), 'UH');
  assert.match(
    cause.reason,
    /Cluster 'sick' has no host for the request: none of 2 hosts can be used: 2 unhealthy: failed_eds_health/,
  );
  assert.equal(
    cause.evidence.filter(
      ({ name, value }) => name.startsWith('host 127.0.0.1') && value === 'unhealthy: failed_eds_health',
    ).length,
    2,
  );
  assert.match(cause.advice.join(' '), /control plane says that the hosts are unhealthy/);
});

test('503 UO: the breaker with its limit and what was in use', async () => {
  const waiting = [send('/small/1'), send('/small/2')];
  await eventually(async () => held.length >= 2, 'two requests at the backend');
  assert.equal((await send('/small/3')).status, 503);
  const request = await explained('/small/3');
  const cause = of(request, 'UO');
  assert.match(
    cause.reason,
    /refused by the circuit breaker max_requests of cluster 'small' \(2 of 2 in use when it was refused\)/,
  );
  assert.equal(value(cause, 'max_requests then'), '2 of 2');
  assert.equal(value(cause, 'max_requests now'), '2 of 2');
  assert.match(cause.advice.join(' '), /circuit_breakers\.thresholds\.max_requests/);
  for (const response of held.splice(0)) response.end();
  await Promise.all(waiting);
});

test('404 NR by a wrong host: the nearest domain', async () => {
  await ask(`http://127.0.0.1:${port}/cart`, { headers: { host: 'shpo.example.com' } });
  const cause = of(await explained('shpo.example.com'), 'NR');
  assert.match(
    cause.reason,
    /no domain matches 'shpo\.example\.com' in route configuration 'local'\. Nearest: 'shpo\.example\.com' is not 'shop\.example\.com': one character differs/,
  );
  assert.match(cause.advice.join(' '), /No virtual host is for 'shpo\.example\.com'/);
});

test('404 NR by a header that is not there: the route that nearly matched', async () => {
  await send('/header/x');
  const cause = of(await explained('/header/x'), 'NR');
  assert.match(
    cause.reason,
    /Nearest: route 'header' matches but for one condition: header x-version is 'v2'; the header is absent/,
  );
});

test('503 NC: the nearest name', async () => {
  await send('/mistyped');
  const cause = of(await explained('/mistyped'), 'NC');
  assert.match(
    cause.reason,
    /sends the request to cluster 'smal', and there is none: it was never configured.*The nearest name is 'small'/,
  );
});

test('504 UT: the timeout and where it was set', async () => {
  assert.equal((await send('/late')).status, 504);
  const cause = of(await explained('/late'), 'UT');
  assert.match(cause.reason, /of cluster 'silent' did not answer within 200 ms, timeout of route 'late'/);
  assert.match(cause.advice.join(' '), /raise timeout of route 'late'/);
  assert.equal(
    (await send('/late/header', { 'x-envoy-upstream-rq-timeout-ms': '100', 'x-forwarded-for': '10.0.0.1' }))
      .status,
    504,
  );
  assert.match(
    of(await explained('/late/header'), 'UT').reason,
    /within 100 ms, which a header of the request asked for/,
  );
});

test('504 UT of an attempt, with its retries', async () => {
  assert.equal((await send('/impatient')).status, 504);
  const request = await explained('/impatient');
  assert.match(of(request, 'UT').reason, /within 100 ms, retry_policy\.per_try_timeout of route 'impatient'/);
  const retries = of(request, 'URX');
  assert.match(
    retries.reason,
    /^All 2 attempts failed.*\(1 retries, set by retry_policy of route 'impatient'\)/,
  );
  assert.match(value(retries, 'attempt 1'), /: per try timeout, given up after \d+ ms$/);
});

test('SI and DT: limits of time of the stream', async () => {
  await send('/idle');
  assert.match(
    of(await explained('/idle'), 'SI').reason,
    /for 200 ms \(idle_timeout of route 'idle'\), before there was a response/,
  );
  await send('/long');
  assert.match(
    (await explained('/long')).explanations[0]!.reason,
    /longer than it may: 200 ms, max_stream_duration of route 'long'/,
  );
});

test('503 UC: the host closed a connection with a request on it', async () => {
  await send('/rude');
  assert.match(
    of(await explained('/rude'), 'UC').reason,
    /of cluster 'rude' closed a new connection, before it had answered/,
  );
});

test('502 UPE: no HTTP', async () => {
  assert.equal((await send('/odd')).status, 502);
  assert.match(of(await explained('/odd'), 'UPE').reason, /of cluster 'odd' sent is no proper HTTP/);
});

test('a retry storm: every attempt, and how many retries the cluster has seen', async () => {
  await send('/failing');
  const request = await explained('/failing');
  assert.equal(request.attempts, 3);
  const cause = of(request, 'URX');
  assert.match(
    cause.reason,
    /^All 3 attempts failed; the last, at .*, ended with 503\. No more are allowed \(2 retries, set by retry_policy of route 'failing'\)/,
  );
  assert.match(value(cause, 'attempt 2'), /^127\.0\.0\.1:\d+: 503, given up/);
  assert.match(value(cause, 'retries of the cluster so far'), /^2, of them 0 with success$/);
  await send('/storm');
  assert.match(
    of(await explained('/storm'), 'UO').reason,
    /Another try was refused by the circuit breaker max_retries of cluster 'no_retries'/,
  );
});

test('the client went away', async () => {
  const before = held.length;
  const socket = net.connect(port, '127.0.0.1');
  socket.write('GET /silent/gone HTTP/1.1\r\nHost: shop.example.com\r\n\r\n');
  await eventually(async () => held.length > before, 'the request at the backend');
  socket.destroy();
  await eventually(
    async () => JSON.parse((await proxy.admin('/api/requests?flag=DC')).body).total > 0,
    'the end of the request',
  );
  assert.match(
    of(await explained('/silent/gone'), 'DC').reason,
    /^The client 127\.0\.0\.1:\d+ went away after \d+ ms, while host .* of cluster 'silent' had not answered yet/,
  );
});

test('a client that speaks no HTTP', async () => {
  const socket = net.connect(port, '127.0.0.1');
  socket.write(
    'GET /broken HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  await once(socket, 'data');
  socket.destroy();
  const list = JSON.parse((await proxy.admin('/api/requests?flag=DPE')).body);
  const request: Explained = JSON.parse((await proxy.admin(`/api/requests/${list.items[0].id}`)).body);
  assert.match(
    of(request, 'DPE').reason,
    /^What the client 127\.0\.0\.1:\d+ sent is no proper HTTP\/1\.1: http1\./,
  );
});

test('what filters and the proxy itself answer', async () => {
  assert.equal((await send('/fault')).status, 555);
  assert.match(
    of(await explained('/fault'), 'FI').reason,
    /^The fault filter answered with 555, as it is told to \(fault_filter_abort\)/,
  );
  await send('/upgrade', { connection: 'upgrade', upgrade: 'websocket' });
  const refused = await explained('/upgrade');
  assert.deepEqual(refused.flags, []);
  assert.match(of(refused, '').title, /upgrade/);
  await send('/plain');
  const upstream = of(await explained('/plain'), '');
  assert.match(
    upstream.reason,
    /^Host 127\.0\.0\.1:\d+ of cluster 'failing' answered with 503: via_upstream/,
  );
});

test('connections: nobody listens upstream, and no filter chain', async () => {
  for (const listener of ['tcp', 'picky']) {
    const socket = net.connect(await proxy.port(listener), '127.0.0.1');
    socket.on('error', () => undefined).resume();
    await once(socket, 'close');
  }
  const find = async (flag: string): Promise<Explained> => {
    const list = JSON.parse((await proxy.admin(`/api/requests?flag=${flag}`)).body).items;
    const found = list.find((each: CapturedRequest) => each.protocol === 'TCP');
    const { body } = await proxy.admin(`/api/requests/${found.id}`);
    assert.deepEqual(schemaErrors(schemas.CapturedRequest as Schema, JSON.parse(body), schemas), [], body);
    return JSON.parse(body);
  };
  const refused = await find('UF');
  assert.deepEqual(
    [refused.listener, refused.filter_chain, refused.cluster, refused.status],
    ['tcp', 'only', 'closed', 0],
  );
  assert.match(of(refused, 'UF').reason, /^Nobody listens on 127/);
  const unmatched = await find('NR');
  assert.equal(unmatched.listener, 'picky');
  assert.match(
    of(unmatched, 'NR').reason,
    /no filter chain matches, and there is no default one.*Nearest: 'only' would take it, but: server name is 'db\.internal'; there is no server name/,
  );
});

test('unbalanced hosts: the weights that make them so, and what each has had', async () => {
  for (let i = 0; i < 100; i++) await send('/uneven');
  const url = `http://${proxy.adminAddress}/api/explain`;
  const question = {
    request: { authority: 'shop.example.com', path: '/uneven' },
    connection: { listener: 'http' },
  };
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(question) });
  const { hosts } = (await answer.json()) as Explanation;
  assert.deepEqual(
    hosts.map(({ share, reason }) => [share, reason]),
    [
      [0.1, 'healthy host of priority 0: 1 of 10 by weight'],
      [0.9, 'healthy host of priority 0: 9 of 10 by weight'],
    ],
  );
  assert.deepEqual(
    hosts.map(({ requests, actual_share }) => [requests, actual_share]),
    [
      [10, 0.1],
      [90, 0.9],
    ],
  );
});
