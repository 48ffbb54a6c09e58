import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../api/config_error.ts';
import { compileTcpKeepalive } from './tcp_keepalive.ts';

test('what the system would not take is refused by its name; 0 is none', () => {
  assert.throws(() => compileTcpKeepalive({ keepalive_probes: { value: 128 } }, 'tcp_keepalive'), {
    path: 'tcp_keepalive.keepalive_probes',
  } satisfies Partial<ConfigError>);
  assert.throws(() => compileTcpKeepalive({ keepalive_time: { value: 32_768 } }, ''), ConfigError);
  assert.equal(compileTcpKeepalive({ keepalive_interval: { value: 0 } }, ''), undefined);
  assert.deepEqual(
    compileTcpKeepalive(
      { keepalive_probes: { value: 1 }, keepalive_time: { value: 2 }, keepalive_interval: { value: 3 } },
      '',
    ),
    { probes: 1, time: 2, interval: 3 },
  );
});
