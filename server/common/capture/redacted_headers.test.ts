import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redactedPath, redactedValue } from './redacted_headers.ts';

test('values that let somebody in are redacted by the names of their headers', () => {
  for (const name of [
    'authorization',
    'cookie',
    'set-cookie',
    'x-api-key',
    'x-auth-token',
    'x-session-id',
    'x-amz-security-token',
    'x-forwarded-client-cert',
    'my-password',
  ])
    assert.equal(redactedValue(name, 'canary'), '[redacted]', name);
  for (const name of ['accept', 'x-request-id', 'content-type', 'x-keep-alive', 'etag'])
    assert.equal(redactedValue(name, 'value'), 'value', name);
});

test('and by the names of parameters in paths and URLs', () => {
  assert.equal(redactedPath('/a?b=1&access_token=canary&c'), '/a?b=1&access_token=[redacted]&c');
  assert.equal(
    redactedPath('/callback?code=canary&state=canary'),
    '/callback?code=[redacted]&state=[redacted]',
  );
  assert.equal(redactedPath('/a?TOKEN=canary=canary'), '/a?TOKEN=[redacted]');
  assert.equal(redactedPath('/a?token'), '/a?token');
  assert.equal(redactedPath('/token=1'), '/token=1');
  assert.equal(redactedValue('location', 'https://x/?sig=canary'), 'https://x/?sig=[redacted]');
  assert.equal(redactedValue('referer', 'https://x/?q=1'), 'https://x/?q=1');
});
