import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { stopHandshakes } from './stop_handshakes.ts';

test('what is connected goes on, what comes then waits and is refused once the socket is closed', {
  skip: process.platform !== 'linux' && 'Linux only',
  timeout: 10_000,
}, async (t) => {
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket.on('error', () => socket.destroy())));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of accepted) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  const early = connect(port, '127.0.0.1');
  await once(early, 'connect');
  assert.equal(stopHandshakes(server), true);
  const late = connect(port, '127.0.0.1');
  const outcome = new Promise((resolve) => {
    late.on('connect', () => resolve('connected')).on('error', ({ message }) => resolve(message));
  });
  early.write('hello');
  while (accepted.length === 0) await new Promise(setImmediate);
  assert.equal(String((await once(accepted[0]!, 'data'))[0]), 'hello');
  server.close();
  early.destroy();
  assert.match(String(await outcome), /ECONNREFUSED/);
  assert.equal(accepted.length, 1);
});
