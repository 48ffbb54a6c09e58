// HPACK against the examples of RFC 7541 appendix C, and against itself.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodedBlock, HpackDecoder } from './decoder.ts';
import { BLOCK_OVERHEAD, FIELD_OVERHEAD, HpackEncoder } from './encoder.ts';
import { huffmanDecode, huffmanEncode, huffmanLength } from './huffman.ts';

const MAX_BYTES = 60 * 1024;
const MAX_FIELDS = 100;

function decode(decoder: HpackDecoder, hex: string): string[] | undefined {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  // Somewhere in a bigger buffer, as when it was read from a socket.
  const buffer = Buffer.concat([Buffer.from([0xff, 0xff]), bytes, Buffer.from([0xff])]);
  if (!decoder.decode(buffer, 2, 2 + bytes.length, MAX_BYTES, MAX_FIELDS)) return undefined;
  return decodedBlock.fields.slice(0, decodedBlock.count).map(({ name, value }) => `${name}: ${value}`);
}

function encode(encoder: HpackEncoder, fields: readonly string[]): Buffer {
  const parts = fields.map(splitField);
  const bound = parts.reduce((sum, [name, value]) => sum + name.length + value.length + FIELD_OVERHEAD, 0);
  const buffer = Buffer.alloc(bound + BLOCK_OVERHEAD + 1);
  encoder.begin(buffer, 1);
  for (const [name, value] of parts) encoder.field(name, value);
  return buffer.subarray(1, encoder.end());
}

function splitField(field: string): [name: string, value: string] {
  const at = field.indexOf(': ', 1);
  return [field.slice(0, at), field.slice(at + 2)];
}

const REQUEST = [':method: GET', ':scheme: http', ':path: /'];
const REQUESTS = [
  [...REQUEST, ':authority: www.example.com'],
  [...REQUEST, ':authority: www.example.com', 'cache-control: no-cache'],
  [
    ':method: GET',
    ':scheme: https',
    ':path: /index.html',
    ':authority: www.example.com',
    'custom-key: custom-value',
  ],
];
const DATE = 'date: Mon, 21 Oct 2013 20:13:21 GMT';
const RESPONSES = [
  [':status: 302', 'cache-control: private', DATE, 'location: https://www.example.com'],
  [':status: 307', 'cache-control: private', DATE, 'location: https://www.example.com'],
  [
    ':status: 200',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:22 GMT',
    'location: https://www.example.com',
    'content-encoding: gzip',
    'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ],
];

describe('HpackDecoder, RFC 7541 appendix C', () => {
  const single: [title: string, hex: string, field: string][] = [
    [
      'C.2.1',
      '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      'custom-key: custom-header',
    ],
    ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', ':path: /sample/path'],
    ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', 'password: secret'],
    ['C.2.4', '82', ':method: GET'],
  ];
  for (const [title, hex, field] of single) {
    test(title, () => assert.deepEqual(decode(new HpackDecoder(), hex), [field]));
  }

  const sequences: [title: string, blocks: string[], fields: string[][], tableSize: number][] = [
    [
      'C.3',
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
      REQUESTS,
      4096,
    ],
    [
      'C.4',
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
      REQUESTS,
      4096,
    ],
    [
      'C.5',
      [
        '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 54' +
          '6e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '4803 3330 37c1 c0bf',
        '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d' +
          '4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076' +
          '6572 7369 6f6e 3d31',
      ],
      RESPONSES,
      256,
    ],
    [
      'C.6',
      [
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b' +
          '97c8 e9ae 82ae 43d3',
        '4883 640e ffc1 c0bf',
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf' +
          'cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ],
      RESPONSES,
      256,
    ],
  ];
  for (const [title, blocks, fields, tableSize] of sequences) {
    test(title, () => {
      const decoder = new HpackDecoder();
      // A table smaller than 4096 has to be announced by the encoder: 3f then the rest over 31.
      const update = tableSize === 4096 ? '' : '3fe101 ';
      assert.equal(31 + 0x61 + 0x80, 256);
      decoder.setMaxTableSize(tableSize);
      blocks.forEach((block, i) => {
        assert.deepEqual(decode(decoder, (i === 0 ? update : '') + block), fields[i]);
      });
    });
  }
});

describe('HpackDecoder refuses', () => {
  const rows: [what: string, hex: string][] = [
    ['index 0', '80'],
    ['an index beyond both tables', 'be'],
    ['a name index beyond both tables', '7e 01 61'],
    ['an integer that is cut off', 'ff'],
    ['an integer without an end', 'ff ff ff ff ff ff ff 7f'],
    ['a string that is cut off', '40 03 61 62'],
    ['a field without a value', '40 01 61'],
    ['a size update after a field', '82 20'],
    ['a size beyond what was allowed', '3f e2 1f'],
    ['padding of zeros', '40 01 61 81 18'],
    ['padding of more than 7 bits', '40 01 61 82 1f ff'],
    ['EOS', '40 01 61 84 ff ff ff ff'],
  ];
  for (const [what, hex] of rows) {
    test(what, () => assert.equal(decode(new HpackDecoder(), hex), undefined));
  }

  test('a block without the size update that SETTINGS asked for', () => {
    const decoder = new HpackDecoder();
    decoder.setMaxTableSize(0);
    assert.equal(decode(decoder, '82'), undefined);
    assert.deepEqual(decode(decoder, '20 82'), [':method: GET']);
    assert.deepEqual(decode(decoder, '82'), [':method: GET']);
  });
});

describe('HpackDecoder', () => {
  test('leaves out what is over the limits and stays in step', () => {
    const decoder = new HpackDecoder();
    const bytes = Buffer.from('4001610162 400163016482'.replaceAll(' ', ''), 'hex');
    assert.equal(decoder.decode(bytes, 0, bytes.length, MAX_BYTES, 1), true);
    assert.equal(decodedBlock.tooManyFields, true);
    assert.equal(decodedBlock.count, 1);
    assert.equal(decoder.decode(bytes, 0, bytes.length, 3, MAX_FIELDS), true);
    assert.equal(decodedBlock.tooManyBytes, true);
    assert.deepEqual(decode(decoder, 'be bf'), ['c: d', 'a: b']);
  });

  test('says which names and values are not allowed', () => {
    const decoder = new HpackDecoder();
    const valid = (hex: string): boolean => {
      decode(decoder, hex);
      return decodedBlock.fields[0].valid;
    };
    assert.equal(valid('00 01 61 01 62'), true);
    assert.equal(valid('00 01 41 01 62'), false, 'upper case');
    assert.equal(valid('00 00 01 62'), false, 'no name');
    assert.equal(valid('00 02 61 20 01 62'), false, 'a space in a name');
    assert.equal(valid('00 01 61 01 00'), false, 'NUL');
    assert.equal(valid('00 01 61 01 0a'), false, 'LF');
    assert.equal(valid('00 01 61 01 7f'), false, 'DEL');
    assert.equal(valid('00 01 61 01 09'), true, 'a tab');
    assert.equal(valid('00 01 61 01 e9'), true, 'above ASCII');
    assert.equal(valid('00 02 3a 61 01 62'), false, 'an unknown pseudo-header');
  });
});

describe('HpackEncoder', () => {
  test('what repeats becomes an index, and the decoder stays in step', () => {
    const encoder = new HpackEncoder(4096, false);
    const decoder = new HpackDecoder();
    const sizes: number[] = [];
    for (const fields of [...RESPONSES, ...RESPONSES, ...REQUESTS, ...REQUESTS]) {
      const bytes = encode(encoder, fields);
      sizes.push(bytes.length);
      assert.deepEqual(decode(decoder, bytes.toString('hex')), fields);
    }
    assert.equal(sizes[3], 4, 'four fields, four bytes');
  });

  test('ids do not drive out what repeats', () => {
    const encoder = new HpackEncoder(4096, false);
    for (let i = 0; i < 500; i++)
      encode(encoder, ['x-tenant: blue', `x-request-id: ${String(i).padStart(36, '0')}`]);
    const bytes = encode(encoder, ['x-tenant: blue', `x-request-id: ${'x'.repeat(36)}`]);
    assert.ok(bytes.length < 45, `${bytes.length} bytes`);
  });

  test('secrets are never indexed', () => {
    const encoder = new HpackEncoder(4096, false);
    for (const field of ['authorization: Bearer 1234567890123456789012345', 'cookie: a=b']) {
      const first = encode(encoder, [field]);
      assert.equal(first[0] & 0xf0, 0x10, field);
      assert.deepEqual(encode(encoder, [field]), first);
    }
    assert.equal(encode(encoder, [`cookie: ${'x'.repeat(40)}`])[0] & 0xc0, 0x40);
  });

  test('fields of HTTP/1 connections are left out', () => {
    const encoder = new HpackEncoder(4096, false);
    const fields = [
      'connection: close',
      'keep-alive: 1',
      'upgrade: x',
      'transfer-encoding: chunked',
      'te: gzip',
    ];
    assert.equal(encode(encoder, fields).length, 0);
    assert.deepEqual(decode(new HpackDecoder(), encode(encoder, ['te: trailers']).toString('hex')), [
      'te: trailers',
    ]);
  });

  test('follows the size that the peer allows', () => {
    const encoder = new HpackEncoder(65_536, false);
    const decoder = new HpackDecoder();
    const fields = ['x-a: 1', 'x-b: 2'];
    encode(encoder, fields);
    encoder.setMaxTableSize(0);
    encoder.setMaxTableSize(100);
    decoder.setMaxTableSize(100);
    const bytes = encode(encoder, fields);
    assert.equal(bytes.subarray(0, 3).toString('hex'), '203f45', 'the smallest size, then the last');
    assert.deepEqual(decode(decoder, bytes.toString('hex')), fields);
    assert.deepEqual(decode(decoder, encode(encoder, fields).toString('hex')), fields);
  });

  test('a configured table of 0 is announced with the first block', () => {
    const bytes = encode(new HpackEncoder(0, false), ['x-a: 1']);
    assert.equal(bytes[0], 0x20);
  });

  test('Huffman coding where asked for', () => {
    const fields = ['x-custom: www.example.com', 'x-binary: \xff\xfe'];
    const bytes = encode(new HpackEncoder(4096, true), fields);
    assert.ok(bytes.length < encode(new HpackEncoder(4096, false), fields).length);
    assert.deepEqual(decode(new HpackDecoder(), bytes.toString('hex')), fields);
  });
});

test('Huffman: every byte comes back', () => {
  for (let byte = 0; byte < 256; byte++) {
    const text = String.fromCharCode(byte).repeat(3);
    const bytes = Buffer.alloc(32);
    const end = huffmanEncode(text, bytes, 0);
    assert.equal(end, huffmanLength(text));
    const back = Buffer.alloc(8);
    assert.equal(huffmanDecode(bytes, 0, end, back, 0), 3);
    assert.equal(back.toString('latin1', 0, 3), text);
  }
});
