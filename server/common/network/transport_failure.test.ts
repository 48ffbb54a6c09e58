import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, test } from 'node:test';
import { transportFailure } from './transport_failure.ts';

function failure(code: string, syscall: string | undefined): string {
  const error: NodeJS.ErrnoException = new Error('message');
  error.code = code;
  if (syscall !== undefined) error.syscall = syscall;
  return transportFailure(error);
}

describe('transportFailure', () => {
  test('a refused connection, as Envoy logs it', async () => {
    const [error] = (await once(net.connect(1, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
    assert.equal(transportFailure(error), 'delayed connect error: Connection refused');
  });

  test('other connect errors in the words of the C library', () => {
    assert.equal(failure('EHOSTUNREACH', 'connect'), 'delayed connect error: No route to host');
    assert.equal(failure('ETIMEDOUT', 'connect'), 'delayed connect error: Connection timed out');
  });

  test('the end of an established connection has no reason', () => {
    assert.equal(failure('ECONNRESET', 'read'), '');
    assert.equal(failure('EPIPE', 'write'), '');
  });

  test('TLS has words of its own', () => {
    assert.equal(failure('ERR_SSL_SOMETHING', undefined), 'message');
  });
});
