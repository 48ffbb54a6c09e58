// Requests and responses as text.

/** A request; header lines without line ends. */
export function request(method: string, target: string, headers: readonly string[] = [], body = ''): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: example.com', ...headers, '', body].join('\r\n');
}

export function get(target = '/', ...headers: readonly string[]): string {
  return request('GET', target, headers);
}

export function post(target: string, body: string, ...headers: readonly string[]): string {
  return request('POST', target, [`Content-Length: ${body.length}`, ...headers], body);
}

export function chunkedPost(
  target: string,
  chunks: readonly string[],
  ...headers: readonly string[]
): string {
  return request('POST', target, ['Transfer-Encoding: chunked', ...headers], chunked(...chunks));
}

export function chunked(...chunks: readonly string[]): string {
  return [...chunks, ''].map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
}

/** A response with a length. */
export function answer(status: number, headers: readonly string[] = [], body = ''): string {
  return [`HTTP/1.1 ${status} Text`, `content-length: ${body.length}`, ...headers, '', body].join('\r\n');
}

export function chunkedAnswer(chunks: readonly string[], ...headers: readonly string[]): string {
  return ['HTTP/1.1 200 OK', 'transfer-encoding: chunked', ...headers, '', chunked(...chunks)].join('\r\n');
}
