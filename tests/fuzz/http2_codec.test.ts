// Fuzz tests of the HTTP/2 codecs: however the bytes are cut, the events are the same; frames in any order, broken ones
// included, make neither throw nor hang nor grow; what HPACK encodes it decodes, and random bytes do it no harm.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ResponseHeaders, Trailers } from '../../server/common/http/header_map.ts';
import * as h2 from '../../server/common/http/http2/frame.ts';
import { decodedBlock, HpackDecoder } from '../../server/common/http/http2/hpack/decoder.ts';
import {
  BLOCK_OVERHEAD,
  FIELD_OVERHEAD,
  HpackEncoder,
} from '../../server/common/http/http2/hpack/encoder.ts';
import {
  block,
  data,
  type Fields,
  frame,
  GET,
  goAway,
  greeting,
  headers,
  POST,
  ping,
  priority,
  rstStream,
  SETTINGS_ACK,
  settings,
  windowUpdate,
} from '../fakes/http2_frames.ts';
import { ClientRecorder, converse, http2Settings, PADDING, ServerRecorder } from '../fakes/http2_recorder.ts';
import { feedInPieces } from '../fakes/message_recorder.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1000);

const stream = fc.constantFrom(1, 1, 1, 3, 3, 5, 7, 2, 0);
const flags = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, h2.FLAG_END_STREAM) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
);
const field = fc.constantFrom<Fields[number]>(
  ['x-a', 'b'],
  ['x-a', ''],
  ['cookie', 'a=b'],
  ['content-length', '3'],
  ['te', 'trailers'],
  ['X-A', 'b'],
  ['connection', 'close'],
  [':path', '/b'],
  ['x', 'a\0b'],
  ['host', 'c'],
);
const fields = fc
  .tuple(fc.constantFrom(GET, POST, GET.slice(1), [] as Fields), fc.array(field, { maxLength: 3 }))
  .map(([pseudo, regular]): Fields => [...pseudo, ...regular]);
const body = fc.constantFrom('', 'a', 'abc', 'x'.repeat(5000));

/** A frame that may well come from an honest client, or nearly so. */
const clientFrame = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(stream, fields, flags).map(([id, list, bits]) => headers(id, list, bits)),
  },
  { weight: 6, arbitrary: fc.tuple(stream, body, flags).map(([id, text, bits]) => data(id, text, bits)) },
  {
    weight: 2,
    arbitrary: fc.tuple(stream, fields, fc.nat({ max: 40 })).map(([id, list, at]) => {
      const bytes = block(list);
      return Buffer.concat([
        frame(h2.FRAME_HEADERS, h2.FLAG_END_STREAM, id, bytes.subarray(0, at)),
        frame(h2.FRAME_CONTINUATION, h2.FLAG_END_HEADERS, id, bytes.subarray(at)),
      ]);
    }),
  },
  fc.tuple(stream, fc.nat({ max: 13 })).map(([id, code]) => rstStream(id, code)),
  fc.tuple(stream, fc.constantFrom(0, 1, 70_000, 0x7fff_ffff)).map(([id, by]) => windowUpdate(id, by)),
  fc
    .tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom(0, 1, 100, 16_384, 65_535, 0xffff_ffff))
    .map(([identifier, value]) => settings([[identifier, value]])),
  fc.constantFrom(SETTINGS_ACK, ping(), ping(true), priority(3), goAway(0)),
  fc
    .tuple(
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 0, max: 255 }),
      stream,
      fc.uint8Array({ maxLength: 30 }),
    )
    .map(([type, bits, id, payload]) => frame(type, bits, id, payload)),
);

/** A greeting and some frames, now and then with bytes changed. */
const conversation = fc
  .tuple(
    fc.array(clientFrame, { maxLength: 14 }),
    fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 2 }),
    fc.boolean(),
  )
  .map(([frames, changes, change]) => {
    const bytes = Buffer.concat([greeting(), ...frames]);
    if (change) for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes;
  });
const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });

const SERVER_SETTINGS = [
  http2Settings(),
  http2Settings({
    override_stream_error_on_invalid_http_message: { value: true },
    allow_connect: true,
    max_consecutive_inbound_frames_with_empty_payload: { value: 100 },
    initial_stream_window_size: { value: 65_535 },
    initial_connection_window_size: { value: 65_535 },
    max_concurrent_streams: { value: 2 },
  }),
];

function serverEvents(bytes: Uint8Array, cuts: readonly number[], setting: number): object {
  const server = new ServerRecorder(SERVER_SETTINGS[setting]);
  feedInPieces(server.codec, bytes, cuts, PADDING);
  return {
    messages: server.messages,
    error: server.error,
    goAways: server.goAways,
    sent: server.answersSent,
    stats: server.store.all(),
  };
}

describe('server', () => {
  test('any split of the same bytes gives the same events', () => {
    fc.assert(
      fc.property(conversation, sizes, fc.nat({ max: 1 }), (bytes, cuts, setting) => {
        assert.deepEqual(serverEvents(bytes, cuts, setting), serverEvents(bytes, [], setting));
      }),
      { numRuns: RUNS },
    );
  });

  test('nothing is left behind', () => {
    fc.assert(
      fc.property(conversation, fc.nat({ max: 1 }), (bytes, setting) => {
        const server = new ServerRecorder(SERVER_SETTINGS[setting]);
        feedInPieces(server.codec, bytes, [], PADDING);
        assert.ok(server.codec.activeStreams <= SERVER_SETTINGS[setting].maxConcurrentStreams);
        server.codec.onConnectionClosed();
        const { 'http2.streams_active': active, 'http2.pending_send_bytes': pending } = server.store.all();
        assert.deepEqual([active, pending], [undefined, undefined]);
      }),
      { numRuns: RUNS },
    );
  });

  test('random bytes after a greeting', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), sizes, (bytes, cuts) => {
        const all = Buffer.concat([greeting(), bytes]);
        assert.deepEqual(serverEvents(all, cuts, 1), serverEvents(all, [], 1));
      }),
      { numRuns: RUNS },
    );
  });
});

describe('client', () => {
  const serverFields = fc
    .tuple(
      fc.constantFrom<Fields>([[':status', '200']], [[':status', '103']], [[':status', '304']], []),
      fc.array(field, { maxLength: 3 }),
    )
    .map(([pseudo, regular]): Fields => [...pseudo, ...regular]);
  const serverFrame = fc.oneof(
    { weight: 2, arbitrary: clientFrame },
    {
      weight: 2,
      arbitrary: fc.tuple(stream, serverFields, flags).map(([id, list, bits]) => headers(id, list, bits)),
    },
    fc.constantFrom(goAway(1), goAway(3), goAway(0x7fff_ffff)),
  );

  test('any split of the same bytes gives the same events', () => {
    const events = (bytes: Uint8Array, cuts: readonly number[]): object => {
      const client = new ClientRecorder(SERVER_SETTINGS[1]);
      client.request('GET');
      client.request('HEAD');
      client.request('POST', [], 'x'.repeat(70_000));
      feedInPieces(client.codec, bytes, cuts, PADDING);
      const state = [
        client.error,
        client.goAways,
        client.maxStreams,
        client.answersSent,
        client.codec.acceptsStreams,
      ];
      client.codec.onConnectionClosed('ConnectionTermination', '');
      const { 'http2.streams_active': active, 'http2.pending_send_bytes': pending } = client.store.all();
      assert.deepEqual([active, pending], [undefined, undefined]);
      return { messages: client.messages, state };
    };
    fc.assert(
      fc.property(fc.array(serverFrame, { maxLength: 14 }), sizes, (frames, cuts) => {
        const bytes = Buffer.concat([settings(), ...frames]);
        assert.deepEqual(events(bytes, cuts), events(bytes, []));
      }),
      { numRuns: RUNS },
    );
  });
});

describe('client and server', () => {
  const exchange = fc.record({
    list: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 4 }),
    body: fc.option(fc.nat({ max: 200_000 }), { nil: undefined }),
    trailers: fc.boolean(),
  });

  test('every exchange arrives, whatever the windows and the cuts', () => {
    fc.assert(
      fc.property(
        fc.array(exchange, { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        (exchanges, cuts, huffman) => {
          const narrow = http2Settings({
            initial_stream_window_size: { value: 65_535 },
            initial_connection_window_size: { value: 65_535 },
            enable_huffman_encoding: { value: huffman },
          });
          const client = new ClientRecorder(narrow);
          const server = new ServerRecorder(narrow);
          const bodies: string[] = [];
          for (const { list, body: length, trailers } of exchanges) {
            const text = length === undefined ? '' : 'abcdefghij'.repeat(length / 10 + 1).slice(0, length);
            bodies.push(text);
            const { encoder } = client.request(
              'POST',
              list.flatMap((name, i) => [`x-${name}`, `value-${i}`]),
              length === undefined ? undefined : null,
            );
            if (length === undefined) continue;
            encoder.encodeData(Buffer.from(text), 0, length, !trailers);
            if (trailers) encoder.encodeTrailers(new Trailers(['x-t', '1']));
          }
          converse(client, server, cuts);
          assert.deepEqual(
            client.messages.map(({ line, complete, body: echoed }) => [line, complete, echoed]),
            bodies.map((text) => ['200', true, text]),
          );
          assert.equal(client.codec.activeStreams + server.codec.activeStreams, 0);
          assert.equal(client.closedStreams, exchanges.length);
        },
      ),
      { numRuns: Math.ceil(RUNS / 20) },
    );
  });

  test('resets and stalls at any time leave nothing behind', () => {
    const action = fc.constantFrom(
      'request',
      'reset',
      'data',
      'end',
      'answer',
      'serverReset',
      'stall',
      'resume',
      'talk',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(action, fc.nat()), { maxLength: 40 }), (actions) => {
        const client = new ClientRecorder();
        const server = new ServerRecorder();
        server.answers = false;
        const body = Buffer.alloc(40_000, 'b');
        for (const [what, which] of actions) {
          const mine = client.responses[which % Math.max(1, client.responses.length)]?.encoder;
          const theirs = server.requests[which % Math.max(1, server.requests.length)]?.encoder;
          if (what === 'request') client.request('POST', [], null);
          else if (what === 'reset') mine?.resetStream('LocalReset');
          else if (what === 'data') mine?.encodeData(body, 0, body.length, false);
          else if (what === 'end') mine?.encodeData(body, 0, 0, true);
          else if (what === 'answer') {
            theirs?.encodeHeaders(new ResponseHeaders(200), false);
            theirs?.encodeData(body, 0, body.length, true);
          } else if (what === 'serverReset') theirs?.resetStream('LocalReset');
          else if (what === 'stall') theirs?.readDisable(true);
          else if (what === 'resume') theirs?.readDisable(false);
          else converse(client, server);
        }
        converse(client, server);
        assert.equal(client.error, undefined);
        assert.equal(server.error, undefined);
        for (const { encoder } of client.responses) encoder.resetStream('LocalReset');
        converse(client, server);
        assert.equal(client.codec.activeStreams + server.codec.activeStreams, 0);
        assert.deepEqual(
          [client.stat('streams_active'), server.stat('streams_active'), server.stat('pending_send_bytes')],
          [0, 0, 0],
        );
      }),
      { numRuns: Math.ceil(RUNS / 4) },
    );
  });
});

describe('HPACK', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '0', '-', '~'), maxLength: 20 });
  const pair = fc.tuple(
    fc.oneof(
      fc.constantFrom(':path', 'content-type', 'date', 'cookie', 'authorization'),
      text.map((end) => `x${end}`),
    ),
    fc.oneof(
      fc.constantFrom('', 'a', 'text/html'),
      fc.string({
        unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
        maxLength: 200,
      }),
    ),
  );
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.array(pair, { maxLength: 8 }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 60, 100, 500, 4096, 8000) },
  );

  test('what is encoded is decoded, while the table’s size changes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.boolean(), (steps, huffman) => {
        const encoder = new HpackEncoder(65_536, huffman);
        const decoder = new HpackDecoder();
        for (const one of steps) {
          if (typeof one === 'number') {
            encoder.setMaxTableSize(one);
            decoder.setMaxTableSize(one);
            continue;
          }
          const bound = one.reduce(
            (sum, [name, value]) => sum + name.length + value.length + FIELD_OVERHEAD,
            0,
          );
          const bytes = Buffer.alloc(bound + BLOCK_OVERHEAD);
          encoder.begin(bytes, 0);
          for (const [name, value] of one) encoder.field(name, value);
          assert.ok(decoder.decode(bytes, 0, encoder.end(), 1e6, 1000));
          const decoded = decodedBlock.fields.slice(0, decodedBlock.count);
          assert.deepEqual(
            decoded.map(({ name, value }) => [name, value]),
            one,
          );
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('random bytes neither throw nor make it grow', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 }), (blocks) => {
        const decoder = new HpackDecoder();
        for (const bytes of blocks) {
          decoder.decode(bytes, 0, bytes.length, 10_000, 50);
          assert.ok(decodedBlock.count <= 50);
        }
      }),
      { numRuns: RUNS },
    );
  });
});
