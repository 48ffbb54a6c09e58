import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FakeConnection } from '../../../../../tests/fakes/connection.ts';
import { FakeStatStore, fakeFactoryContext } from '../../../../../tests/fakes/factory_context.ts';
import { until } from '../../../../../tests/fakes/until.ts';
import { fromJson } from '../../../../../xds-protos/json.ts';
import { NetworkFilterStatus } from '../../../../api/network/filter.ts';
import type { FactoryContext } from '../../../../api/registry.ts';
import { MongoDecoder, type MongoMessage } from './codec.ts';
import { mongoProxyFactory } from './config.ts';

type Value = string | number | readonly Value[] | { readonly [key: string]: Value };

const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};
const int64 = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
};
const text = (value: string) => Buffer.from(`${value}\0`);

function element(key: string, value: Value): Buffer {
  if (typeof value === 'string') {
    return Buffer.concat([Buffer.from([2]), text(key), int32(Buffer.byteLength(value) + 1), text(value)]);
  }
  if (typeof value === 'number') return Buffer.concat([Buffer.from([16]), text(key), int32(value)]);
  const type = Array.isArray(value) ? 4 : 3;
  return Buffer.concat([Buffer.from([type]), text(key), document(value as { [key: string]: Value })]);
}

function document(value: { readonly [key: string]: Value }): Buffer {
  const body = Buffer.concat(Object.entries(value).map(([key, one]) => element(key, one)));
  return Buffer.concat([int32(body.length + 5), body, Buffer.alloc(1)]);
}

function message(opCode: number, id: number, responseTo: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([int32(16 + body.length), int32(id), int32(responseTo), int32(opCode), body]);
}

const query = (id: number, collection: string, body: { [key: string]: Value }, flags = 0) =>
  message(2004, id, 0, int32(flags), text(collection), int32(0), int32(1), document(body));
const reply = (to: number, documents: { [key: string]: Value }[], flags = 0, cursor = 0n) =>
  message(
    1,
    99,
    to,
    int32(flags),
    int64(cursor),
    int32(0),
    int32(documents.length),
    ...documents.map(document),
  );
const OTHERS = [
  message(2005, 7, 0, int32(0), text('db.c'), int32(1), int64(5n)),
  message(2002, 8, 0, int32(0), text('db.c'), document({ a: 1 })),
  message(2007, 9, 0, int32(0), int32(1), int64(5n)),
  message(2010, 10, 0, text('db'), text('cmd'), document({}), document({})),
];

function run(config: object = {}, overrides: Partial<FactoryContext> = {}) {
  const stats = new FakeStatStore();
  const type = 'envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy';
  const compiled = mongoProxyFactory.compile(
    fromJson(type, { stat_prefix: 'mm', ...config }) as never,
    fakeFactoryContext({ stats, ...overrides }),
    'mongo',
  );
  const connection = new FakeConnection();
  const filter = compiled.createFilter();
  filter.initializeReadFilterCallbacks!(connection);
  return {
    connection,
    filter,
    request: (bytes: Buffer) => filter.onData!(bytes, 0, bytes.length, false),
    respond: (bytes: Buffer) => filter.onWrite!(bytes, 0, bytes.length, false),
    value: (name: string) => stats.value(`mongo.mm.${name}`),
    histogram: (name: string) => stats.histograms.get(`mongo.mm.${name}`),
  };
}

/** The numbers of these tests are those that Envoy 1.40 counted for the same bytes. */
describe('statistics', () => {
  test('a query of a collection and its reply', () => {
    const { request, respond, value, histogram } = run();
    request(query(1, 'db.coll', { a: 1 }));
    assert.equal(value('op_query_active'), 1);
    respond(reply(1, [{ x: 1 }, { y: 2 }]));
    assert.equal(value('op_query_active'), 0);
    for (const name of ['op_query', 'op_reply', 'op_query_no_max_time', 'op_query_scatter_get'])
      assert.equal(value(name), 1, name);
    assert.equal(value('collection.coll.query.total'), 1);
    assert.equal(value('collection.coll.query.scatter_get'), 1);
    assert.deepEqual(histogram('collection.coll.query.reply_num_docs'), [2]);
    assert.deepEqual(histogram('collection.coll.query.reply_size'), [24]);
    assert.equal(histogram('collection.coll.query.reply_time_ms')!.length, 1);
  });

  test('call sites, several keys, flags', () => {
    const { request, respond, value } = run();
    request(query(2, 'db.c2', { _id: { a: 1 }, $comment: '{"callingFunction":"fn"}', $maxTimeMS: 5 }));
    assert.equal(value('collection.c2.callsite.fn.query.multi_get'), 1);
    assert.equal(value('collection.c2.query.multi_get'), 1);
    assert.equal(value('op_query_no_max_time'), 0);
    request(query(3, 'db.c3', { _id: 7 }, 2 | 16 | 32 | 64));
    for (const name of ['tailable_cursor', 'no_cursor_timeout', 'await_data', 'exhaust'])
      assert.equal(value(`op_query_${name}`), 1, name);
    respond(reply(3, [{ x: 1 }], 1 | 2, 77n));
    for (const name of ['cursor_not_found', 'query_failure', 'valid_cursor'])
      assert.equal(value(`op_reply_${name}`), 1, name);
    assert.equal(value('collection.c3.query.scatter_get'), 0);
  });

  test('commands', () => {
    const { request, value } = run();
    request(query(4, 'db.$cmd', { insert: 'c' }));
    request(query(5, 'db.$cmd', { find: 'cc', filter: { _id: 3 }, comment: '{"callingFunction":"g"}' }));
    request(query(6, 'db.$cmd', { foo: 'c' }));
    assert.equal(value('cmd.insert.total'), 1);
    assert.equal(value('cmd.unknown_command.total'), 1);
    assert.equal(value('collection.cc.callsite.g.query.total'), 1);
    assert.equal(value('op_query_no_max_time'), 1);
    const own = run({ commands: ['isMaster'] });
    own.request(query(7, 'db.$cmd', { ismaster: 1 }));
    assert.equal(own.value('cmd.isMaster.total'), 1);
  });

  test('other messages, and the end of it', () => {
    const { request, respond, value, connection, filter } = run();
    request(Buffer.concat([...OTHERS, query(1, 'db.c', {})]));
    respond(message(2011, 1, 1, document({}), document({})));
    for (const name of ['get_more', 'insert', 'kill_cursors', 'command', 'command_reply'])
      assert.equal(value(`op_${name}`), 1, name);
    connection.close('NoFlush');
    assert.equal(value('cx_destroy_local_with_active_rq'), 1);
    filter.onDestroy!();
    assert.equal(value('op_query_active'), 0);
  });

  test('what is not understood ends the looking, not the connection', () => {
    const modern = message(2013, 12, 0, int32(0), Buffer.alloc(1), document({ hello: 1 }));
    for (const bytes of [
      modern,
      query(13, 'nodot', {}),
      query(14, 'db.$cmd', {}),
      int32(3),
      int32(-1),
      int32(48_000_001),
    ]) {
      const { request, value, connection } = run();
      assert.equal(request(bytes), NetworkFilterStatus.Continue);
      request(query(1, 'db.c', {}));
      assert.equal(value('decoding_error'), 1);
      assert.equal(value('collection.c.query.total'), 0);
      assert.equal(connection.closed, undefined);
    }
  });
});

test('operations become metadata', () => {
  const { request, connection } = run({ emit_dynamic_metadata: true });
  request(Buffer.concat([query(1, 'db.a', {}), query(2, 'db.a', {}), OTHERS[1]]));
  const seen = () => connection.streamInfo.dynamicMetadata!.get('envoy.filters.network.mongo_proxy');
  assert.deepEqual(seen(), { 'db.a': ['query', 'query'], 'db.c': ['insert'] });
  request(query(3, 'db.b', {}));
  assert.deepEqual(seen(), { 'db.b': ['query'] });
});

test('queries can be delayed', async () => {
  const { request, connection, value } = run({
    delay: { fixed_delay: '0.02s', percentage: { numerator: 100 } },
  });
  assert.equal(request(query(1, 'db.a', {})), NetworkFilterStatus.StopIteration);
  assert.equal(connection.readDisabled, 1);
  await until(() => connection.readDisabled === 0);
  assert.deepEqual([connection.readDisabled, connection.continued, value('delays_injected')], [0, 1, 1]);
});

test('a draining connection closes when all is answered', async () => {
  const listener = { draining: () => true } as FactoryContext['listener'];
  const { request, respond, connection, value } = run({}, { listener });
  request(query(1, 'db.a', {}));
  respond(reply(1, []));
  assert.equal(connection.closed, undefined);
  await until(() => connection.closed !== undefined);
  assert.deepEqual(connection.closed, { type: 'FlushWrite', details: undefined });
  assert.equal(value('cx_drain_close'), 1);
});

test('message logs are refused', () => {
  assert.throws(() => run({ access_log: '/dev/null' }), /mongo\.access_log/);
});

test('any split gives the same messages, no input throws', () => {
  const good = fc.constantFrom(
    query(1, 'db.c', { _id: 'x', $query: { a: [1, 'b'] } }),
    reply(1, [{ a: 1 }]),
    ...OTHERS,
  );
  const mutated = fc.tuple(good, fc.nat(60), fc.nat(255)).map(([bytes, at, value]) => {
    const copy = Buffer.from(bytes);
    copy[at % copy.length] = value;
    return copy;
  });
  const stream = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: good },
      mutated,
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    ),
  );
  const collect = (bytes: Buffer, cuts: readonly number[]) => {
    const types: string[] = [];
    const decoder = new MongoDecoder();
    let from = 0;
    for (const end of [...cuts, bytes.length]) {
      if (!decoder.decode(bytes, from, end, (one: MongoMessage) => types.push(one.type) > 0))
        return [...types, 'error'];
      from = end;
    }
    return types;
  };
  fc.assert(
    fc.property(stream, fc.array(fc.nat()), (messages, marks) => {
      const bytes = Buffer.concat(messages);
      const cuts = marks.map((mark) => mark % (bytes.length + 1)).sort((a, b) => a - b);
      assert.deepEqual(collect(bytes, cuts), collect(bytes, []));
      run().request(bytes);
    }),
  );
});
