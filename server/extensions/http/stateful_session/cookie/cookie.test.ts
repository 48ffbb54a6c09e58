import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '../../../../../xds-protos/load.ts';
import { RequestHeaders, ResponseHeaders } from '../../../../common/http/header_map.ts';
import { CookieSessionStateFactory } from './cookie.ts';

const ADDRESS = '10.0.0.1:80';

function request(path: string, cookie?: string): RequestHeaders {
  const headers = new RequestHeaders();
  headers.path = path;
  if (cookie !== undefined) headers.set('cookie', cookie);
  return headers;
}

test('a session ends when its cookie says so', () => {
  let now = 1000n;
  const cookie = create('envoy.type.http.v3.Cookie', { name: 'c', ttl: { seconds: 10n } });
  const factory = new CookieSessionStateFactory(cookie, () => now);
  const [value, ...attributes] = factory.setCookie(ADDRESS).split('; ');
  assert.deepEqual(attributes, ['Max-Age=10', 'HttpOnly']);
  const address = (): string | undefined => factory.create(request('/', value))!.upstreamAddress;
  now = 1010n;
  assert.equal(address(), ADDRESS);
  now = 1011n;
  assert.equal(address(), undefined);
});

test('a client is told of another host, and not of the one that it named', () => {
  const factory = new CookieSessionStateFactory(create('envoy.type.http.v3.Cookie', { name: 'c' }));
  const session = factory.create(request('/', factory.setCookie(ADDRESS).split('; ')[0]))!;
  const headers = new ResponseHeaders(200);
  assert.equal(session.onUpdate(ADDRESS, headers), false);
  assert.equal(headers.get('set-cookie'), undefined);
  assert.equal(session.onUpdate('10.0.0.2:80', headers), true);
  assert.match(headers.get('set-cookie')!, /^c="[\w+/]+=*"; HttpOnly$/);
});

test('the path of a cookie says which requests have a session', () => {
  const has = (own: string, path: string): boolean => {
    const cookie = create('envoy.type.http.v3.Cookie', { name: 'c', path: own });
    return new CookieSessionStateFactory(cookie).create(request(path)) !== undefined;
  };
  const paths = ['/a', '/a/', '/a/b', '/a?b', '/a#b', '/ab', '/'];
  assert.deepEqual(
    paths.filter((path) => has('/a', path)),
    ['/a', '/a/', '/a/b', '/a?b', '/a#b'],
  );
  assert.deepEqual(
    paths.filter((path) => has('/a/', path)),
    ['/a/', '/a/b'],
  );
  assert.deepEqual(
    paths.filter((path) => has('/', path)),
    paths,
  );
});
