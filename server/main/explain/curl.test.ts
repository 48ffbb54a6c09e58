import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { describeCurl, shellWords } from './curl.ts';
import { DescriptionError, describe as described } from './description.ts';

describe('a line for curl', () => {
  test('words are those of a shell', () => {
    assert.deepEqual(shellWords(String.raw`curl  'a b' "c \"d\"" e\ f`), ['curl', 'a b', 'c "d"', 'e f']);
    assert.deepEqual(shellWords('curl \\\n  -v \\\r\n http://x'), ['curl', '-v', 'http://x']);
    assert.deepEqual(shellWords(String.raw`curl $'it\'s\x21\u0041' 'a'"b"c ''`), [
      'curl',
      "it's!A",
      'abc',
      '',
    ]);
    assert.throws(() => shellWords("curl 'x"), DescriptionError);
  });

  test('says method, headers, and where it goes', () => {
    const { request, connection } = describeCurl(
      "curl -sSXPUT -H 'X-A: 1' -H 'x-a: 2' -H 'Accept:' -u me:secret --http2 --connect-to ::10.0.0.1:8443 --max-time 5 https://shop.example.com/cart?x=1 -d a=b --data c=d",
    );
    assert.equal(request.method, 'PUT');
    assert.equal(request.url, 'https://shop.example.com/cart?x=1');
    assert.deepEqual(request.headers?.['x-a'], ['1', '2']);
    assert.equal(request.headers?.accept, undefined);
    assert.deepEqual(request.headers?.['content-type'], ['application/x-www-form-urlencoded']);
    assert.deepEqual(request.headers?.authorization, ['Basic bWU6c2VjcmV0']);
    assert.deepEqual(connection, { destination: '10.0.0.1:8443', protocol: 'HTTP/2' });
    const whole = described(request, connection);
    assert.deepEqual(
      [
        whole.destinationIp,
        whole.destinationPort,
        whole.tls,
        whole.serverName,
        whole.alpn,
        whole.request?.authority,
      ],
      ['10.0.0.1', 8443, true, 'shop.example.com', ['h2'], 'shop.example.com'],
    );
  });

  test('methods that curl takes by itself', () => {
    const method = (line: string): string | undefined => describeCurl(line).request.method;
    assert.equal(method('curl http://x'), 'GET');
    assert.equal(method('curl -I http://x'), 'HEAD');
    assert.equal(method('curl http://x -d 1'), 'POST');
    assert.equal(method('curl --json {} http://x'), 'POST');
    assert.equal(describeCurl('curl -G http://x/y -d a=1 -d b=2').request.url, 'http://x/y?a=1&b=2');
    assert.equal(
      describeCurl('curl --resolve x:80:10.1.1.1 http://x/').connection.destination,
      '10.1.1.1:80',
    );
  });

  test('a host header goes to the proxy, the URL only says where', () => {
    const { request, connection } = describeCurl("curl -H 'Host: shop' http://127.0.0.1:8080/a");
    const { request: asked, destinationIp, destinationPort } = described(request, connection);
    assert.deepEqual(
      [asked?.authority, asked?.path, destinationIp, destinationPort],
      ['shop', '/a', '127.0.0.1', 8080],
    );
  });

  test('what is none is refused', () => {
    for (const line of ['', 'wget http://x', 'curl', 'curl -H', 'curl ftp://x/'])
      assert.throws(
        () => {
          const { request, connection } = describeCurl(line);
          described(request, connection);
        },
        DescriptionError,
        line,
      );
  });
});
