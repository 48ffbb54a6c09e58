import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { until } from '../../../tests/fakes/until.ts';
import { monotonicNow } from './dispatcher.ts';
import { Timer } from './timer.ts';

describe('Timer', () => {
  test('fires once, not before its time', async () => {
    const fired: number[] = [];
    const start = performance.now();
    const timer = new Timer({ onTimeout: () => fired.push(performance.now() - start) });
    timer.enable(20, monotonicNow());
    assert.equal(timer.enabled, true);
    await until(() => fired.length > 0);
    await sleep(30);
    assert.equal(fired.length, 1);
    assert.ok(fired[0] >= 20, `fired after ${fired[0]} ms`);
    assert.equal(timer.enabled, false);
  });

  test('arming it again moves it', async () => {
    let fired = 0;
    const timer = new Timer({ onTimeout: () => fired++ });
    let armedAt = 0;
    const start = performance.now();
    // Until well after the first time would have come.
    while (performance.now() - start < 600) {
      armedAt = performance.now();
      timer.enable(400, monotonicNow());
      await sleep(20);
      // On a machine so busy that the time did pass, it says nothing.
      if (performance.now() - armedAt < 400) assert.equal(fired, 0);
      else fired = 0;
    }
    await until(() => fired > 0);
    assert.ok(performance.now() - armedAt >= 400);
    await sleep(30);
    assert.equal(fired, 1);
  });

  test('put off again and again, it fires at its last time, and the others of its list at theirs', async () => {
    const start = performance.now();
    const fired = new Map<string, number>();
    const timer = (name: string): Timer =>
      new Timer({ onTimeout: () => fired.set(name, performance.now() - start) });
    const [still, moved, sooner] = [timer('still'), timer('moved'), timer('sooner')];
    for (const each of [moved, still, sooner]) each.enable(100, start);
    for (const later of [10, 55, 237]) moved.enable(100, start + later);
    // Put off, and then called back to before the time it had first.
    sooner.enable(500, start);
    sooner.enable(30, start);
    await until(() => fired.size === 3);
    assert.deepEqual([...fired.keys()], ['sooner', 'still', 'moved']);
    assert.ok(fired.get('sooner')! >= 30 && fired.get('still')! >= 100 && fired.get('moved')! >= 337);
    assert.equal(moved.enabled, false);
  });

  test('disarmed in time, it stays silent', async () => {
    let fired = 0;
    const timer = new Timer({ onTimeout: () => fired++ });
    timer.enable(10, monotonicNow());
    timer.disable();
    timer.disable();
    await sleep(30);
    assert.equal(fired, 0);
  });

  test('timers of one duration fire in the order they were armed, whoever was taken out between', async () => {
    const fired: number[] = [];
    const timers = Array.from({ length: 5 }, (_, i) => new Timer({ onTimeout: () => fired.push(i) }));
    for (const timer of timers) timer.enable(15, monotonicNow());
    timers[0].disable();
    timers[2].disable();
    timers[4].disable();
    timers[4].enable(15, monotonicNow());
    await until(() => fired.length > 2);
    await sleep(30);
    assert.deepEqual(fired, [1, 3, 4]);
  });

  test('different durations do not wait for each other', async () => {
    const fired: string[] = [];
    const long = new Timer({ onTimeout: () => fired.push('long') });
    const short = new Timer({ onTimeout: () => fired.push('short') });
    long.enable(300, monotonicNow());
    short.enable(10, monotonicNow());
    await until(() => fired.length > 1);
    assert.deepEqual(fired, ['short', 'long']);
  });

  test('a timer may arm itself, and disarm another, while it fires', async () => {
    const fired: string[] = [];
    const victim = new Timer({ onTimeout: () => fired.push('victim') });
    const timer: Timer = new Timer({
      onTimeout(self) {
        fired.push('timer');
        victim.disable();
        if (fired.length < 3) self.enable(10, monotonicNow());
      },
    });
    timer.enable(10, monotonicNow());
    victim.enable(10, monotonicNow());
    await until(() => fired.length > 2);
    await sleep(30);
    assert.deepEqual(fired, ['timer', 'timer', 'timer']);
  });

  test('what came while the thread was busy is seen before the timer fires', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const order: string[] = [];
    const timer = new Timer({ onTimeout: () => order.push('timeout') });
    const sockets: Socket[] = [];
    // An accepted connection that opens another: both in one turn, which takes longer than the timer.
    server.once('connection', (accepted: Socket) => {
      timer.enable(10, monotonicNow());
      sockets.push(
        accepted,
        connect(port, '127.0.0.1', () => order.push('connected')),
      );
      for (const end = performance.now() + 30; performance.now() < end; );
    });
    sockets.push(connect(port, '127.0.0.1'));
    await until(() => order.length > 1);
    for (const socket of sockets) socket.destroy();
    server.close();
    assert.deepEqual(order, ['connected', 'timeout']);
  });

  test('its owner knows which of its timers fired', async () => {
    const fired: Timer[] = [];
    const owner = { onTimeout: (timer: Timer) => void fired.push(timer) };
    const one = new Timer(owner);
    const two = new Timer(owner);
    one.enable(300, monotonicNow());
    two.enable(5, monotonicNow());
    await until(() => fired.length > 1);
    assert.ok(fired[0] === two && fired[1] === one);
  });

  test('an owner that throws does not silence the others', async () => {
    // In a thread of its own: the exception is uncaught, and the test runner would take it for its own.
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      process.on('uncaughtException', (error) => parentPort.postMessage(error.message));
      import(workerData).then(({ Timer }) => {
        const bad = new Timer({ onTimeout() { throw new Error('a bug of the owner'); } });
        const good = new Timer({ onTimeout: () => parentPort.postMessage('fired') });
        for (const timer of [bad, good]) timer.enable(10, performance.now());
        setTimeout(() => {}, 100);
      });`;
    const worker = new Worker(source, {
      eval: true,
      workerData: new URL('./timer.ts', import.meta.url).href,
    });
    const messages: string[] = [];
    worker.on('message', (message: string) => messages.push(message));
    await once(worker, 'exit');
    assert.deepEqual(messages, ['a bug of the owner', 'fired']);
  });
});
