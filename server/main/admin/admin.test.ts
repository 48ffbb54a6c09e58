import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { ask, recordedBody, serveAdmin } from '../../../tests/fakes/admin_client.ts';
import { fakeAdminContext } from '../../../tests/fakes/admin_context.ts';
import { create } from '../../../xds-protos/load.ts';
import { ipAddress, pipeAddress } from '../../common/network/address.ts';
import { AdminServer } from './admin.ts';
import type { Logging } from './context.ts';
import { HANDLERS } from './handlers.ts';

const post = { method: 'POST' };

function loggersOf(recording: string): Logging {
  const levels = new Map<string, string>();
  for (const [, name = '', level = ''] of recording.matchAll(/^ {2}(\w+): (\w+)$/gm)) levels.set(name, level);
  return {
    levels: ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'],
    loggers: () => [...levels].map(([name, level]) => ({ name, level })),
    setLevel(name, level) {
      if (name !== undefined && !levels.has(name)) return false;
      for (const each of name === undefined ? levels.keys() : [name]) levels.set(each, level);
      return true;
    },
  };
}

describe('the admin server', () => {
  test('answers with the headers of Envoy', async (t) => {
    const ask = await serveAdmin(t, fakeAdminContext());
    const { status, headers, body } = await ask('/ready');
    assert.equal(status, 200);
    assert.equal(body, 'LIVE\n');
    assert.ok(headers.date);
    assert.deepEqual(
      { ...headers, date: '' },
      {
        'content-type': 'text/plain; charset=UTF-8',
        'cache-control': 'no-cache, max-age=0',
        'x-content-type-options': 'nosniff',
        server: 'envoy',
        date: '',
        'transfer-encoding': 'chunked',
        // Node's client asked for it.
        connection: 'close',
      },
    );
  });

  test('a path is found as it is written, anything else gets the help', async (t) => {
    const ask = await serveAdmin(t, fakeAdminContext());
    const { body: help } = await ask('/help');
    assert.match(help, /^admin commands are:\n {2}\/: Admin home page\n/);
    for (const handler of HANDLERS)
      assert.ok(help.includes(`\n  ${handler.path}${handler.mutates ? ' (POST)' : ''}: `));
    for (const unknown of ['/foo', '/ready/', '/READY', '/config_dump/x', '/%']) {
      const reply = await ask(unknown);
      assert.equal(reply.status, 404, unknown);
      assert.equal(reply.body, `invalid path. ${help}`);
    }
  });

  test('the home page links or posts to every endpoint', async (t) => {
    const ask = await serveAdmin(t, fakeAdminContext());
    const { headers, body } = await ask('/');
    assert.equal(headers['content-type'], 'text/html; charset=UTF-8');
    for (const { path: full, mutates, params } of HANDLERS.filter((handler) => handler.path !== '/')) {
      const form = `<form action='${full.slice(1)}' method='${mutates ? 'post' : 'get'}'`;
      assert.ok(body.includes(mutates || params.length > 0 ? form : `<a href='${full.slice(1)}'>`), full);
    }
  });

  test('what changes something wants a POST', async (t) => {
    const context = fakeAdminContext();
    const ask = await serveAdmin(t, context);
    for (const { path: changing } of HANDLERS.filter((handler) => handler.mutates)) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const reply = await ask(changing, { method });
        assert.equal(reply.status, 405);
        assert.equal(reply.body, `Method ${method} not allowed, POST required.`);
      }
    }
    assert.deepEqual(context.done, []);
    assert.equal((await ask('/stats', post)).status, 200);
    assert.deepEqual(await ask('/ready', { method: 'HEAD' }).then(({ status, body }) => [status, body]), [
      200,
      '',
    ]);
  });

  test('HTTP/1.0 is told to upgrade', async (t) => {
    const server = new AdminServer(fakeAdminContext());
    const { port } = await server.listen(ipAddress('127.0.0.1', 0));
    t.after(() => server.close());
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /ready HTTP/1.0\r\n\r\n');
    let answer = '';
    socket.on('data', (chunk) => (answer += String(chunk)));
    await once(socket, 'close');
    assert.match(answer, /^HTTP\/1\.1 426 Upgrade Required\r\n.*\r\n\r\nUpgrade Required$/s);
  });

  test('listens on a Unix socket too', async (t) => {
    const socketPath = path.join(tmpdir(), `admin-${process.pid}.sock`);
    const server = new AdminServer(fakeAdminContext());
    await server.listen(pipeAddress(socketPath));
    t.after(() => server.close());
    assert.equal((await ask({ socketPath, path: '/ready' })).body, 'LIVE\n');
  });

  test('an address in use is an error of listen', async (t) => {
    const first = new AdminServer(fakeAdminContext());
    const { port } = await first.listen(ipAddress('127.0.0.1', 0));
    t.after(() => first.close());
    await assert.rejects(new AdminServer(fakeAdminContext()).listen(ipAddress('127.0.0.1', port)), {
      code: 'EADDRINUSE',
    });
  });

  test('a source that throws costs its own request', async (t) => {
    const context = fakeAdminContext({
      listeners: () => {
        throw new Error('broken');
      },
    });
    const ask = await serveAdmin(t, context);
    assert.equal((await ask('/listeners')).status, 500);
    assert.equal((await ask('/ready')).status, 200);
  });
});

describe('actions', () => {
  test('reach the server with their parameters', async (t) => {
    const context = fakeAdminContext();
    const ask = await serveAdmin(t, context);
    const paths = [
      '/drain_listeners',
      '/drain_listeners?inboundonly&graceful&skip_exit',
      '/healthcheck/fail',
    ];
    for (const each of [...paths, '/healthcheck/ok', '/reopen_logs', '/quitquitquit']) {
      assert.deepEqual([(await ask(each, post)).status, (await ask(each, post)).body], [200, 'OK\n'], each);
    }
    assert.deepEqual(
      [...new Set(context.done)],
      [
        'drain {"inboundOnly":false,"graceful":false,"skipExit":false}',
        'drain {"inboundOnly":true,"graceful":true,"skipExit":true}',
        'fail health checks: true',
        'fail health checks: false',
        'reopen logs',
        'quit',
      ],
    );
  });

  test('reset_counters', async (t) => {
    const context = fakeAdminContext();
    const ask = await serveAdmin(t, context);
    context.store.counter('hits').add(3);
    context.store.flush();
    await ask('/reset_counters', post);
    assert.equal((await ask('/stats?filter=hits')).body, 'hits: 0\n');
  });
});

describe('what the server says of itself', () => {
  test('/ready is 503 unless live', async (t) => {
    const server = { ...fakeAdminContext().server, state: () => 'DRAINING' as const };
    const ask = await serveAdmin(t, fakeAdminContext({ server }));
    const { status, body } = await ask('/ready');
    assert.deepEqual([status, body], [503, 'DRAINING\n']);
  });

  test('/server_info', async (t) => {
    const ask = await serveAdmin(t, fakeAdminContext());
    const { headers, body } = await ask('/server_info');
    assert.equal(headers['content-type'], 'application/json');
    const info = JSON.parse(body);
    assert.deepEqual(Object.keys(info), [
      'version',
      'state',
      'uptime_current_epoch',
      'uptime_all_epochs',
      'hot_restart_version',
      'command_line_options',
      'node',
      'hot_restart_initializing',
    ]);
    assert.equal(info.uptime_current_epoch, '12s');
    assert.equal(info.command_line_options.concurrency, 2);
    // Defaults are printed.
    assert.equal(info.command_line_options.cpuset_threads, false);
  });

  test('/memory', async (t) => {
    const ask = await serveAdmin(t, fakeAdminContext());
    const memory = JSON.parse((await ask('/memory')).body);
    assert.deepEqual(Object.keys(memory).slice(0, 2), ['allocated', 'heap_size']);
    assert.ok(Number(memory.total_physical_bytes) > Number(memory.allocated));
  });

  test('/certs', async (t) => {
    const [certificate] = JSON.parse(recordedBody('certs.json')).certificates;
    const [details] = certificate.cert_chain;
    const message = create('envoy.admin.v3.Certificate', {
      cert_chain: [
        {
          path: details.path,
          serial_number: details.serial_number,
          subject_alt_names: [{ dns: 'a.test' }, { dns: 'localhost' }, { ip_address: '127.0.0.1' }],
          days_until_expiration: BigInt(details.days_until_expiration),
          valid_from: { seconds: BigInt(Date.parse(details.valid_from) / 1000) },
          expiration_time: { seconds: BigInt(Date.parse(details.expiration_time) / 1000) },
        },
      ],
    });
    const ask = await serveAdmin(t, fakeAdminContext({ certificates: () => [message] }));
    assert.equal((await ask('/certs')).body, recordedBody('certs.json'));
  });

  test('/init_dump, whole and by component', async (t) => {
    const targets = [
      { name: 'init manager Server', targetNames: ['target CDS'] },
      { name: 'listener foo', targetNames: ['target RDS'] },
    ];
    const ask = await serveAdmin(t, fakeAdminContext({ unreadyTargets: () => targets }));
    assert.equal(JSON.parse((await ask('/init_dump')).body).unready_targets_dumps.length, 2);
    assert.deepEqual(JSON.parse((await ask('/init_dump?mask=listener')).body), {
      unready_targets_dumps: [{ name: 'listener foo', target_names: ['target RDS'] }],
    });
    assert.equal((await ask('/init_dump?mask=foo')).body, recordedBody('init_dump.json'));
  });
});

describe('/listeners', () => {
  test('as text and JSON', async (t) => {
    const names = ['http_listener', 'https_listener', 'tcp_listener'];
    const all = names.map((name, i) => ({ name, localAddress: ipAddress('127.0.0.1', 20901 + i) }));
    const ask = await serveAdmin(t, fakeAdminContext({ listeners: () => all }));
    assert.equal((await ask('/listeners')).body, recordedBody('listeners.txt'));
    assert.equal((await ask('/listeners?format=json')).body, recordedBody('listeners.json'));
    assert.equal((await ask('/listeners?format=xml')).body, recordedBody('listeners.txt'));
  });
});

describe('/runtime', () => {
  test('shows the layers and changes the admin layer', async (t) => {
    const recorded = JSON.parse(recordedBody('runtime.json'));
    const changes: [string, string][] = [];
    const runtime = {
      layerNames: recorded.layers,
      entries: Object.entries<{ layer_values: string[]; final_value: string }>(recorded.entries).map(
        ([name, entry]) => ({ name, layerValues: entry.layer_values, finalValue: entry.final_value }),
      ),
      modify(values: ReadonlyMap<string, string>) {
        changes.push(...values);
        return true;
      },
    };
    const ask = await serveAdmin(t, fakeAdminContext({ runtime }));
    assert.deepEqual(JSON.parse((await ask('/runtime')).body), recorded);
    assert.equal((await ask('/runtime_modify?key1=value1&key2=7', post)).body, 'OK\n');
    assert.equal((await ask('/runtime_modify', { method: 'POST', form: 'key3=a%20b' })).body, 'OK\n');
    assert.deepEqual(changes, [
      ['key1', 'value1'],
      ['key2', '7'],
      ['key3', 'a b'],
    ]);
    const usage = await ask('/runtime_modify', post);
    assert.equal(usage.status, 400);
    assert.match(usage.body, /^usage: \/runtime_modify\?key1=value1.*override$/s);
  });

  test('says when there is no admin layer', async (t) => {
    const ask = await serveAdmin(t, fakeAdminContext());
    const { status, body } = await ask('/runtime_modify?a=b', post);
    assert.deepEqual([status, body], [503, 'No admin layer specified']);
  });
});

describe('/logging', () => {
  test('lists and changes levels', async (t) => {
    const logging = loggersOf(
      recordedBody('logging.txt').replaceAll(': debug', ': warning').replace('http: info', 'http: warning'),
    );
    const ask = await serveAdmin(t, fakeAdminContext({ logging }));
    const { body } = await ask('/logging?paths=router:debug,http:info', post);
    assert.equal(body, recordedBody('logging.txt'));
    assert.match((await ask('/logging?admin=error', post)).body, /\n {2}admin: error\n/);
    assert.doesNotMatch(
      (await ask('/logging', { method: 'POST', form: 'level=off' })).body,
      /(warning|error)\n/,
    );
    assert.match((await ask('/logging?level=', post)).body, /^active loggers:\n/);
  });

  test('an error changes nothing and explains', async (t) => {
    const recorded = recordedBody('logging_error.txt');
    const ask = await serveAdmin(t, fakeAdminContext({ logging: loggersOf(recorded) }));
    const reasons = {
      'level=foo': 'unknown logger level',
      'http=foo': 'unknown logger level',
      'foo=debug': 'unknown logger name',
      'http=debug&router=debug': 'invalid number of parameters',
      'paths=http:foo': 'unknown logger level',
      'paths=http:debug,foo:debug': 'unknown logger name',
      'paths=http': 'empty logger name or empty logger level',
      'group=http:debug': 'group parameter requires fine-grain logging to be enabled',
    };
    for (const [query, reason] of Object.entries(reasons)) {
      const { status, body } = await ask(`/logging?${query}`, post);
      assert.deepEqual([status, body], [400, recorded.replace('unknown logger level', reason)], query);
    }
  });
});
