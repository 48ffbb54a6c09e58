// Requests as raw bytes, and what Envoy 1.40 (its default parser) answered to each on a socket.
// The codec's unit tests hold ours to them; http1_codec.test.ts asks a real Envoy again where there is one.

export const HOST = 'host: a\r\n';
export const CHUNKED = 'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n';
export const CODEC = '400 http1.codec_error';
const CHARACTERS = '400 http1.invalid_characters';
const LOW = '426 low_version';
const INVALID_URL = '400 http1.invalid_url';
const ENCODING = '501 http1.invalid_transfer_encoding';
const BOTH = '400 http1.content_length_and_chunked_not_allowed';
const NAMED = '400 http1.connection_header_rejected';
export const TOO_LARGE = '431 http1.headers_too_large';
export const TOO_MANY = '431 http1.too_many_headers';

/** Name, request, and Envoy's status and details, or the request line and headers that it passes on. */
export type Row = [name: string, request: string, answer: string];

export function get(lines: string): string {
  return `GET / HTTP/1.1\r\n${HOST}${lines}\r\n`;
}
export function target(requestTarget: string, method = 'GET'): string {
  return `${method} ${requestTarget} HTTP/1.1\r\n${HOST}\r\n`;
}
export function post(lines: string, body: string): string {
  return `POST / HTTP/1.1\r\n${HOST}${lines}\r\n${body}`;
}

export const REQUESTS: Row[] = [
  ['plain', get(''), 'GET a /'],
  ['empty lines before it', `\r\n\r\n${get('')}`, 'GET a /'],
  ['no host (the connection manager answers)', 'GET / HTTP/1.1\r\n\r\n', 'GET (none) /'],
  ['empty host', 'GET / HTTP/1.1\r\nhost:\r\n\r\n', 'GET  /'],
  ['two hosts are joined', get('host: b\r\n'), 'GET a,b /'],
  ['host with a space', 'GET / HTTP/1.1\r\nhost: a b\r\n\r\n', '400 http.invalid_authority'],
  ['host with a slash', 'GET / HTTP/1.1\r\nhost: a/b\r\n\r\n', '400 http.invalid_authority'],
  ['host with user', 'GET / HTTP/1.1\r\nhost: u@b\r\n\r\n', 'GET u@b /'],
  ['HTTP/1.0', `GET / HTTP/1.0\r\n${HOST}\r\n`, LOW],
  ['HTTP/0.9', 'GET /\r\n', LOW],
  ['HTTP/1.2', `GET / HTTP/1.2\r\n${HOST}\r\n`, LOW],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${HOST}\r\n`, LOW],
  ['lower-case version', `GET / http/1.1\r\n${HOST}\r\n`, CODEC],
  ['long version', `GET / HTTP/1.1x\r\n${HOST}\r\n`, CODEC],
  ['short version', `GET / HTTP/11\r\n${HOST}\r\n`, CODEC],
  ['space before the method', ` ${get('')}`, CODEC],
  ['four words', `GET /x y HTTP/1.1\r\n${HOST}\r\n`, CODEC],
  ['lower-case method', target('/', 'get'), CODEC],
  ['unknown method', target('/', 'FOO'), CODEC],
  ['PRI', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', CODEC],
  ['M-SEARCH', target('*', 'M-SEARCH'), CODEC],
  ['MSEARCH', target('/', 'MSEARCH'), 'MSEARCH a /'],
  ['QUERY', target('/', 'QUERY'), 'QUERY a /'],
  ['TLS hello', '\x16\x03\x01\x02\x00', CODEC],
  ['* for GET', target('*'), INVALID_URL],
  ['* for OPTIONS', target('*', 'OPTIONS'), 'OPTIONS a *'],
  ['relative target', target('foo'), CODEC],
  ['fragment', target('/a#b'), 'GET a /a#b'],
  ['obs-text in target', target('/a\x80'), CODEC],
  ['DEL in target', target('/a\x7f'), CHARACTERS],
  ['control in target', target('/a\x01'), CHARACTERS],
  ['odd characters in target', target('/a"<>\\^`{|}'), 'GET a /a"<>\\^`{|}'],
  ['absolute', target('http://foo.com/x?y'), 'GET http://foo.com /x?y'],
  ['absolute with port', 'GET http://foo.com:80/x HTTP/1.1\r\n\r\n', 'GET http://foo.com:80 /x'],
  ['absolute without path', target('http://foo.com'), 'GET http://foo.com /'],
  ['absolute with query only', target('http://foo.com?q=1'), 'GET http://foo.com ?q=1'],
  ['absolute https', target('https://foo.com/'), 'GET https://foo.com /'],
  ['absolute upper-case scheme', target('HTTP://FoO.com/'), 'GET http://FoO.com /'],
  ['absolute ftp', target('ftp://foo.com/'), '400 http1.invalid_scheme'],
  ['absolute with user', target('http://u:p@foo.com/'), 'GET http://foo.com /'],
  ['absolute port too big', target('http://foo.com:99999/'), INVALID_URL],
  ['absolute empty port', target('http://foo.com:/'), INVALID_URL],
  ['absolute without host', target('http:///x'), INVALID_URL],
  ['absolute IPv6', target('http://[::1]:80/x'), 'GET http://[::1]:80 /x'],
  ['CONNECT', target('foo.com:443', 'CONNECT'), 'CONNECT foo.com:443 '],
  ['CONNECT without port', target('foo.com', 'CONNECT'), INVALID_URL],
  ['CONNECT path', target('/', 'CONNECT'), INVALID_URL],
  ['CONNECT host and path', target('foo.com:80/x', 'CONNECT'), INVALID_URL],
  ['CONNECT absolute', target('http://foo.com:80/', 'CONNECT'), INVALID_URL],
  ['CONNECT length 0', 'CONNECT f:1 HTTP/1.1\r\ncontent-length: 0\r\n\r\n', 'CONNECT f:1 '],
  ['CONNECT length 3', 'CONNECT f:1 HTTP/1.1\r\ncontent-length: 3\r\n\r\n', '400 http1.body_disallowed'],
  ['CONNECT chunked', 'CONNECT f:1 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n', ENCODING],
  ['NUL', get('x: a\0b\r\n'), CHARACTERS],
  ['control character', get('x: a\x01b\r\n'), CHARACTERS],
  ['form feed', get('x: a\x0cb\r\n'), CHARACTERS],
  ['DEL', get('x: a\x7fb\r\n'), CHARACTERS],
  ['tab', get('x: a\tb\r\n'), 'GET a / | x: a\tb'],
  ['obs-text', get('x: a\x80\xffb\r\n'), 'GET a / | x: a\x80\xffb'],
  ['space before colon', get('x : a\r\n'), CODEC],
  ['tab before colon', get('x\t: a\r\n'), CODEC],
  ['no colon', get('xyz\r\n'), CODEC],
  ['no name', get(': a\r\n'), CODEC],
  ['pseudo-header', get(':path: a\r\n'), CODEC],
  ['bad name', get('x(y: a\r\n'), CODEC],
  ['obs-text in name', get('x\x80: a\r\n'), CODEC],
  ['quote in name', get('x"y: a\r\n'), CODEC],
  ['folded first line', `GET / HTTP/1.1\r\n ${HOST}\r\n`, CODEC],
  ['spaces around values', get('X-Y:\r\nz:   q  \t\r\n'), 'GET a / | x-y:  | z: q'],
  ['length and chunked', post('content-length: 3\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'), BOTH],
  ['length 0 and chunked', post('content-length: 0\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'), BOTH],
  ['gzip', post('transfer-encoding: gzip\r\n', ''), ENCODING],
  ['gzip, chunked', post('transfer-encoding: gzip, chunked\r\n', '0\r\n\r\n'), ENCODING],
  [
    'chunked twice',
    post('transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'),
    ENCODING,
  ],
  [
    'identity, then chunked',
    post('transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n', ''),
    ENCODING,
  ],
  ['identity', post('transfer-encoding: identity\r\n', ''), ENCODING],
  ['empty encoding', post('transfer-encoding:\r\n', ''), ENCODING],
  ['vertical tab before chunked', post('transfer-encoding: \x0bchunked\r\n', ''), CHARACTERS],
  ['same length twice', post('content-length: 3\r\ncontent-length: 3\r\n', 'abc'), CODEC],
  ['two lengths', post('content-length: 3\r\ncontent-length: 4\r\n', 'abc'), CODEC],
  ['list of lengths', post('content-length: 3, 3\r\n', 'abc'), CODEC],
  ['+3', post('content-length: +3\r\n', 'abc'), CODEC],
  ['-3', post('content-length: -3\r\n', 'abc'), CODEC],
  ['0x3', post('content-length: 0x3\r\n', 'abc'), CODEC],
  ['empty length', post('content-length:\r\n', 'abc'), CODEC],
  ['20 digits', post('content-length: 99999999999999999999\r\n', 'abc'), CODEC],
  ['zeros before the length', post('content-length: 003\r\n', 'abc'), 'POST a / | content-length: 003 | abc'],
  [
    'named headers go',
    get('connection: X-Foo\r\nx-foo: 1\r\nx-foo: 2\r\nb: 1\r\n'),
    'GET a / | connection: X-Foo | b: 1',
  ],
  [
    'two Connection headers',
    get('connection: x\r\nconnection: y\r\nx: 1\r\ny: 1\r\n'),
    'GET a / | connection: x | connection: y',
  ],
  ['naming the host hides it', get('connection: host\r\n'), 'GET (none) / | connection: host'],
  [
    'naming a length, which still counts',
    post('connection: content-length\r\ncontent-length: 3\r\n', 'abc'),
    'POST a / | connection: content-length | abc',
  ],
  ['naming TE', get('connection: te\r\nte: trailers\r\n'), 'GET a / | connection: te | te: trailers'],
  ['naming a long TE', get(`connection: te\r\nte: ${'a'.repeat(300)}\r\n`), NAMED],
  ['naming x-forwarded-for', get('connection: close, X-Forwarded-For\r\n'), NAMED],
  ['naming a pseudo-header', get('connection: :path\r\n'), NAMED],
  ['naming ten', get(`connection: ${'x,'.repeat(10)}\r\n`), NAMED],
  ['head of 60 KiB and more', get(`x: ${'a'.repeat(62_000)}\r\n`), TOO_LARGE],
  ['target of 60 KiB and more', target(`/${'a'.repeat(62_000)}`), TOO_LARGE],
  ['101 headers', get('x: a\r\n'.repeat(100)), TOO_MANY],
];

export const CHUNKS: Row[] = [
  ['extensions', '3;a=b;c="d"\r\nabc\r\n0;x\r\n\r\n', 'abc'],
  ['control-free extension bytes', '3;a\x80\r\nabc\r\n0\r\n\r\n', 'abc'],
  ['space after the size', '3 \r\nabc\r\n0\r\n\r\n', 'abc'],
  ['space before the size', ' 3\r\nabc\r\n0\r\n\r\n', CODEC],
  ['0x3', '0x3\r\nabc\r\n0\r\n\r\n', CODEC],
  ['-3', '-3\r\nabc\r\n0\r\n\r\n', CODEC],
  ['bare LF', '3\nabc\n0\n\n', CODEC],
  ['no line end after the data', '3\r\nabcX0\r\n\r\n', CODEC],
  ['CR in an extension', '3;a\rb\r\nabc\r\n0\r\n\r\n', CODEC],
  ['LF after an extension', '3;a\nabc\r\n0\r\n\r\n', CODEC],
  ['zeros', '0000000000000000000003\r\nabc\r\n000\r\n\r\n', 'abc'],
  ['17 digits', 'fffffffffffffffff\r\nabc', CODEC],
  ['no size', '\r\nabc', CODEC],
  ['trailers are dropped', '0\r\nx: y\r\n\r\n', ''],
  ['more trailers than headers may be', `0\r\n${'x: a\r\n'.repeat(101)}\r\n`, ''],
  ['trailer without colon', '0\r\nx y\r\n\r\n', CODEC],
  ['bad trailer name', '0\r\nx(: y\r\n\r\n', CODEC],
  ['control character in trailer', '0\r\nx: \x01y\r\n\r\n', CHARACTERS],
  ['trailers too large', `0\r\nx: ${'a'.repeat(70_000)}\r\n\r\n`, TOO_LARGE],
];

/** Envoy lets these pass: they are what request smuggling is made of, and RFC 9112 allows to refuse each. */
export const STRICTER: Row[] = [
  ['bare LF', 'GET / HTTP/1.1\nhost: a\n\n', CODEC],
  ['one bare LF', 'GET / HTTP/1.1\r\nhost: a\n\r\n', CODEC],
  ['LF as the empty line', 'GET / HTTP/1.1\r\nhost: a\r\n\n', CODEC],
  ['bare CR in a value', get('x: a\rb\r\n'), CODEC],
  ['CR CR LF', 'GET / HTTP/1.1\r\nhost: a\r\r\n\r\n', CODEC],
  ['folded line', get('x: a\r\n b\r\n'), CODEC],
  ['folded line with tab', get('x: a\r\n\tb\r\n'), CODEC],
  ['two spaces', `GET  /x  HTTP/1.1\r\n${HOST}\r\n`, CODEC],
  ['tab instead of space', `GET\t/x HTTP/1.1\r\n${HOST}\r\n`, CODEC],
  ['space at the end', `GET /x HTTP/1.1 \r\n${HOST}\r\n`, CODEC],
  ['CR instead of space', `GET /x\rHTTP/1.1\r\n${HOST}\r\n`, CODEC],
  ['a length beyond 2^53', post('content-length: 9223372036854775807\r\n', 'abc'), CODEC],
  ['words after a chunk size', `${CHUNKED}3 x\r\nabc\r\n0\r\n\r\n`, CODEC],
  ['bytes between a chunk and its CRLF', `${CHUNKED}3\r\nabcXX\r\n0\r\n\r\n`, CODEC],
  ['control character in a chunk extension', `${CHUNKED}3;\x01\r\nabc\r\n0\r\n\r\n`, CODEC],
];
