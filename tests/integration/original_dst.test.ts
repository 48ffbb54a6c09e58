// SO_ORIGINAL_DST behind a real iptables REDIRECT, in a network namespace that lives as long as the test's child.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('original_dst_child.ts', import.meta.url));
const SETUP = [
  'ip link set lo up',
  'iptables -t nat -A OUTPUT -p tcp --dport 9999 -j REDIRECT --to-ports 15001',
  'ip6tables -t nat -A OUTPUT -p tcp --dport 9999 -j REDIRECT --to-ports 15001',
].join(' && ');

function inNamespace(command: string): string[] {
  return ['--net', 'sh', '-c', command];
}

const possible =
  process.platform === 'linux' && spawnSync('unshare', inNamespace(SETUP), { stdio: 'ignore' }).status === 0;

test('the listener filter finds where a redirected connection was going', {
  skip: !possible && 'needs root, unshare and iptables',
}, () => {
  const run = `${SETUP} && exec "${process.execPath}" "${CHILD}"`;
  const lines = execFileSync('unshare', inNamespace(run), { encoding: 'utf8', timeout: 20_000 });
  assert.deepEqual(lines.trim().split('\n'), [
    '127.0.0.1:15001 127.0.0.1:9999 true',
    '127.0.0.1:15001 127.0.0.1:15001 false',
    '[::1]:15001 [::1]:9999 true',
  ]);
});
