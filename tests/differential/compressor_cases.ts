// Filter chains and requests of compressor.test.ts: every request goes through every chain.

import zlib from 'node:zlib';

export interface Case {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** The upstream's answer, its body in parts. */
  readonly response?: {
    readonly status?: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: readonly (string | Buffer)[];
    readonly trailers?: Readonly<Record<string, string>>;
  };
}

export interface Chain {
  readonly filters: readonly { readonly name: string; readonly type: string; readonly config: object }[];
  /** CompressorPerRoute by filter. */
  readonly route?: Readonly<Record<string, object>>;
}

type Library = 'gzip' | 'brotli' | 'zstd';
const MESSAGES = { gzip: 'Gzip', brotli: 'Brotli', zstd: 'Zstd' } as const;

function library(name: Library, config: object): object {
  const type = `type.googleapis.com/envoy.extensions.compression.${name}.compressor.v3.${MESSAGES[name]}`;
  return { name: `my_${name}`, typed_config: { '@type': type, ...config } };
}

function compressor(name: Library, config: object = {}, libraryConfig: object = {}): Chain['filters'][0] {
  return {
    name,
    type: 'envoy.extensions.filters.http.compressor.v3.Compressor',
    config: { compressor_library: library(name, libraryConfig), ...config },
  };
}

const ALL_TYPES = { common_config: { min_content_length: 10, content_type: ['Text/Plain', 'image/png'] } };

export const CHAINS: Readonly<Record<string, Chain>> = {
  gzip: { filters: [compressor('gzip')] },
  'gzip with settings': {
    filters: [
      compressor(
        'gzip',
        { response_direction_config: { ...ALL_TYPES, disable_on_etag_header: true } },
        {
          memory_level: 9,
          window_bits: 15,
          compression_level: 'BEST_COMPRESSION',
          compression_strategy: 'RLE',
        },
      ),
    ],
  },
  'deprecated settings': {
    filters: [
      compressor('gzip', { content_length: 1000, content_type: ['text/html'], disable_on_etag_header: true }),
    ],
  },
  brotli: {
    filters: [
      compressor(
        'brotli',
        {
          response_direction_config: { weaken_etag_on_compress: true, uncompressible_response_codes: [404] },
        },
        { quality: 5, encoder_mode: 'TEXT', window_bits: 20, input_block_bits: 20 },
      ),
    ],
  },
  zstd: {
    filters: [
      compressor(
        'zstd',
        { response_direction_config: { remove_accept_encoding_header: true } },
        { compression_level: 5, enable_checksum: true, strategy: 'GREEDY' },
      ),
    ],
  },
  three: {
    filters: [
      compressor('brotli', { response_direction_config: {} }),
      compressor('zstd', { response_direction_config: {}, choose_first: true }),
      compressor('gzip', { response_direction_config: ALL_TYPES }),
    ],
  },
  'request and response': {
    filters: [compressor('gzip', { request_direction_config: {}, response_direction_config: {} })],
  },
  disabled: {
    filters: [
      compressor('gzip', {
        request_direction_config: { common_config: { enabled: { default_value: false, runtime_key: 'r' } } },
        response_direction_config: { common_config: { enabled: { default_value: false, runtime_key: 'r' } } },
      }),
    ],
  },
  'disabled by the route': { filters: [compressor('gzip')], route: { gzip: { disabled: true } } },
  'enabled by the route': {
    filters: [
      compressor('gzip', {
        response_direction_config: { common_config: { enabled: { default_value: false, runtime_key: 'r' } } },
      }),
    ],
    route: {
      gzip: { overrides: { response_direction_config: { remove_accept_encoding_header: true } } },
    },
  },
};

const TEXT = 'All work and no play makes Jack a dull boy. '.repeat(20);
const PLAIN = { 'content-type': 'text/plain' };
const GZIP = { 'accept-encoding': 'gzip' };

function answer(
  headers: Readonly<Record<string, string>> = PLAIN,
  body: readonly (string | Buffer)[] = [TEXT],
) {
  return { headers, body };
}

const ACCEPT_ENCODINGS = [
  'gzip',
  'br',
  'zstd',
  'gzip, br, zstd',
  'gzip;q=0.5, br;q=0.9, zstd;q=0.1',
  'gzip;q=0, *',
  '*',
  '*;q=0',
  'identity',
  'identity, gzip;q=0.5',
  'gzip;q=x, br',
  'GZIP',
  'gzip; q = 0.3 , br;level=1',
  'gzip;q=0.5;x=1',
  'deflate',
  '',
  ';',
];

/** More than a buffer limit of 1 MiB, and hard to compress. */
const BIG = Buffer.from(
  Array.from({ length: 1_500_000 }, (_, i) => (Math.imul(i, 2654435761) >>> 13) & 0xff),
);

export const CASES: readonly Case[] = [
  { name: 'without accept-encoding', response: answer() },
  ...ACCEPT_ENCODINGS.map((value) => ({
    name: `accept-encoding ${value}`,
    headers: { 'accept-encoding': value },
    response: answer(),
  })),
  { name: 'HEAD', method: 'HEAD', headers: GZIP, response: answer(PLAIN, []) },
  { name: 'no body', headers: GZIP, response: answer({ ...PLAIN, 'content-length': '0' }, []) },
  {
    name: 'a length that is too small',
    headers: GZIP,
    response: answer({ ...PLAIN, 'content-length': '9' }, ['9 letters']),
  },
  {
    name: 'a length of 29',
    headers: GZIP,
    response: answer({ ...PLAIN, 'content-length': '29' }, ['x'.repeat(29)]),
  },
  {
    name: 'a length of 30',
    headers: GZIP,
    response: answer({ ...PLAIN, 'content-length': '30' }, ['x'.repeat(30)]),
  },
  {
    name: 'content-length',
    headers: GZIP,
    response: answer({ ...PLAIN, 'content-length': String(TEXT.length) }),
  },
  { name: 'parts', headers: GZIP, response: answer(PLAIN, ['one ', 'two ', 'three ']) },
  {
    name: 'parts for zstd',
    headers: { 'accept-encoding': 'zstd' },
    response: answer(PLAIN, ['one ', 'two ', 'three ']),
  },
  {
    name: 'parts for brotli',
    headers: { 'accept-encoding': 'br' },
    response: answer(PLAIN, ['one ', 'two ', 'three ']),
  },
  {
    name: 'trailers',
    headers: { ...GZIP, te: 'trailers' },
    response: { ...answer({ ...PLAIN, trailer: 'x-t' }), trailers: { 'x-t': 'v' } },
  },
  {
    name: 'a big body',
    headers: { 'accept-encoding': 'br, gzip;q=0.9, zstd;q=0.8' },
    response: answer(PLAIN, [BIG]),
  },
  { name: 'no content-type', headers: GZIP, response: answer({}) },
  { name: 'another content-type', headers: GZIP, response: answer({ 'content-type': 'image/png' }) },
  {
    name: 'parameters of content-type',
    headers: GZIP,
    response: answer({ 'content-type': 'Text/HTML ;charset=utf-8' }),
  },
  {
    name: 'compressed already',
    headers: GZIP,
    response: answer({ ...PLAIN, 'content-encoding': 'gzip' }, [zlib.gzipSync(TEXT)]),
  },
  {
    name: 'no-transform',
    headers: GZIP,
    response: answer({ ...PLAIN, 'cache-control': 'max-age=1, No-Transform' }),
  },
  {
    name: 'strong etag',
    headers: { 'accept-encoding': 'gzip, br' },
    response: answer({ ...PLAIN, etag: '"abc"' }),
  },
  {
    name: 'short etag',
    headers: { 'accept-encoding': 'gzip, br' },
    response: answer({ ...PLAIN, etag: 'ab' }),
  },
  {
    name: 'weak etag',
    headers: { 'accept-encoding': 'gzip, br' },
    response: answer({ ...PLAIN, etag: 'w/"abc"' }),
  },
  { name: 'vary', headers: GZIP, response: answer({ ...PLAIN, vary: 'Cookie' }) },
  {
    name: 'vary on accept-encoding',
    headers: GZIP,
    response: answer({ ...PLAIN, vary: 'Cookie, Accept-Encoding' }),
  },
  { name: 'vary in lower case', headers: GZIP, response: answer({ ...PLAIN, vary: 'accept-encoding' }) },
  { name: 'status 404', headers: { 'accept-encoding': 'br' }, response: { status: 404, ...answer() } },
  { name: 'status 206', headers: { 'accept-encoding': 'br' }, response: { status: 206, ...answer() } },
  { name: 'a direct response', path: '/direct', headers: GZIP },
  { name: 'a request with a body', method: 'POST', headers: PLAIN, body: TEXT, response: answer() },
  { name: 'a big request', method: 'POST', headers: PLAIN, body: BIG, response: answer() },
  { name: 'a small request', method: 'POST', headers: PLAIN, body: 'small', response: answer() },
  {
    name: 'a request of another type',
    method: 'POST',
    headers: { 'content-type': 'image/jpeg' },
    body: TEXT,
    response: answer(),
  },
  {
    name: 'a compressed request',
    method: 'POST',
    headers: { ...PLAIN, 'content-encoding': 'gzip' },
    body: zlib.gzipSync(TEXT),
    response: answer(),
  },
];
