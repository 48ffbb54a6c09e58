// Chains of network filters over a real socket.

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SocketPair, socketPair } from '../../../tests/fakes/socket_connection.ts';
import {
  type NetworkFilter,
  type NetworkFilterConfig,
  NetworkFilterStatus,
  type ReadFilterCallbacks,
} from '../../api/network/filter.ts';
import { NetworkFilterManager } from './filter_manager.ts';

const { Continue, StopIteration } = NetworkFilterStatus;

function config(filter: NetworkFilter, isTerminal = false): NetworkFilterConfig {
  return { isTerminal, createFilter: () => filter };
}

/** Writes down what it is told, and lets everything pass unless told to stop. */
class Probe implements NetworkFilter {
  readonly name: string;
  readonly trace: string[];
  callbacks!: ReadFilterCallbacks;
  stopNewConnection = false;
  stopData = false;

  constructor(name: string, trace: string[]) {
    this.name = name;
    this.trace = trace;
  }
  initializeReadFilterCallbacks(callbacks: ReadFilterCallbacks): void {
    this.callbacks = callbacks;
  }
  onNewConnection(): NetworkFilterStatus {
    this.trace.push(`${this.name}:new`);
    return this.stopNewConnection ? StopIteration : Continue;
  }
  onData(bytes: Uint8Array, start: number, end: number, endStream: boolean): NetworkFilterStatus {
    const text = Buffer.from(bytes.subarray(start, end)).toString();
    this.trace.push(`${this.name}:${text}${endStream ? '$' : ''}`);
    return this.stopData ? StopIteration : Continue;
  }
  onDestroy(): void {
    this.trace.push(`${this.name}:destroyed`);
  }
}

async function chain(
  context: TestContext,
  prepare?: (a: Probe, b: Probe) => void,
): Promise<SocketPair & { a: Probe; b: Probe; trace: string[]; saw(text: string): Promise<void> }> {
  const pair = await socketPair();
  context.after(() => pair.close());
  const trace: string[] = [];
  const a = new Probe('a', trace);
  const b = new Probe('b', trace);
  prepare?.(a, b);
  pair.connection.enableHalfClose(true);
  NetworkFilterManager.install(pair.connection, [config(a), config(b, true)]);
  pair.readable.start();
  const saw = async (text: string): Promise<void> => {
    for (const deadline = Date.now() + 2000; trace.at(-1) !== text; await sleep(2))
      assert.ok(Date.now() < deadline, `${text} did not come after ${trace.join(' ')}`);
  };
  return { ...pair, a, b, trace, saw };
}

describe('NetworkFilterManager', () => {
  test('bytes and the FIN walk the filters in order', async (context) => {
    const { peer, trace, saw } = await chain(context);
    peer.write('x');
    await saw('b:x');
    peer.end();
    await saw('b:$');
    assert.deepEqual(trace, ['a:new', 'b:new', 'a:x', 'b:x', 'a:$', 'b:$']);
  });

  test('a filter that stops the connection holds back those behind it, and the bytes', async (context) => {
    const { a, peer, trace, saw } = await chain(context, (first) => (first.stopNewConnection = true));
    peer.write('early');
    await sleep(20);
    assert.deepEqual(trace, ['a:new']);
    a.callbacks.continueReading();
    await saw('b:early');
    assert.ok(trace.indexOf('b:new') < trace.indexOf('b:early'));
  });

  test('a filter that stops bytes gives them on with those that came since', async (context) => {
    const { a, peer, trace, saw } = await chain(context, (first) => (first.stopData = true));
    peer.write('one');
    await saw('a:one');
    assert.ok(!trace.includes('b:one'));
    a.stopData = false;
    a.callbacks.continueReading();
    await saw('b:one');
    peer.write('two');
    await saw('b:two');
  });

  test('a filter that stopped sees what comes next', async (context) => {
    const { a, peer, saw } = await chain(context, (first) => (first.stopData = true));
    peer.write('one');
    await saw('a:one');
    a.stopData = false;
    peer.write('two');
    await saw('b:onetwo');
  });

  test('the end of the connection destroys every filter once', async (context) => {
    const { connection, trace } = await chain(context);
    connection.close('NoFlush');
    connection.close('NoFlush');
    assert.deepEqual(trace.slice(2), ['a:destroyed', 'b:destroyed']);
  });

  test('a filter that closes in onNewConnection: those behind it are not asked', async (context) => {
    const { trace } = await chain(context, (first) => {
      first.onNewConnection = () => {
        first.callbacks.connection.close('NoFlush');
        return StopIteration;
      };
    });
    assert.deepEqual(trace, ['a:destroyed', 'b:destroyed']);
  });

  test('write filters see what is sent, last configured first, and may keep it', async (context) => {
    const pair = await socketPair();
    context.after(() => pair.close());
    const seen: string[] = [];
    let keep = false;
    const writer = (name: string): NetworkFilterConfig =>
      config({
        onWrite(bytes) {
          seen.push(`${name}:${Buffer.from(bytes).toString()}`);
          return keep && name === 'b' ? StopIteration : Continue;
        },
      });
    NetworkFilterManager.install(pair.connection, [writer('a'), writer('b')]);
    pair.connection.writeLatin1('1');
    pair.connection.writeThrough(Buffer.from('2'));
    keep = true;
    pair.connection.writeBytes(Buffer.from('3'));
    pair.connection.close('FlushWrite');
    assert.deepEqual(seen, ['b:1', 'a:1', 'b:2', 'a:2', 'b:3']);
    let received = '';
    for await (const chunk of pair.peer) received += String(chunk);
    assert.equal(received, '12');
  });
});
