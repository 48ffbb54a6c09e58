// Watches the event loop of a main thread from inside: loaded into the proxy by --import. While somebody is connected to the socket
// TURN_WATCH, it measures the CPU time of each turn, which other programs on the machine do not add to; it writes the longest in ms
// once it gets a byte.

import { rmSync } from 'node:fs';
import net from 'node:net';
import { isMainThread } from 'node:worker_threads';

const path = process.env['TURN_WATCH'];
if (isMainThread && path !== undefined) {
  // The proxy starts itself once more in the same process, see server/main.ts.
  rmSync(path, { force: true });
  net.createServer(watch).listen(path).unref();
}

function watch(socket: net.Socket): void {
  let watching = true;
  let longest = 0;
  let before = cpuMs();
  const turn = (): void => {
    const now = cpuMs();
    longest = Math.max(longest, now - before);
    before = now;
    if (watching) setImmediate(turn);
  };
  setImmediate(turn);
  socket.on('error', () => socket.destroy()).on('close', () => (watching = false));
  socket.once('data', () => socket.end(String(longest)));
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
