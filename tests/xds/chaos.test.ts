// A folder that is edited all the time, behind a network that cuts connections at random: the client ends up with exactly what
// the folder says, and never loses what still exists in between.

import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setLogLevel } from '../../server/common/log.ts';
import { startResourceServer } from '../../server/main/resource_server/resource_server.ts';
import { decode } from '../../xds-protos/load.ts';
import { CDS, client, EDS, type Recorder, xdsCluster } from './harness.ts';

setLogLevel('config', 'off');

const ROUNDS = 25;
const NAMES = ['c0', 'c1', 'c2', 'c3', 'c4', 'c5'];
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A TCP proxy that can cut everything it carries. */
async function cuttingProxy(port: number): Promise<{ port: number; cut(): void; close(): void }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((downstream) => {
    const upstream = net.connect(port, '127.0.0.1');
    for (const socket of [downstream, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        downstream.destroy();
        upstream.destroy();
      });
    }
    downstream.pipe(upstream).pipe(downstream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as net.AddressInfo).port,
    cut,
    close: () => {
      cut();
      server.close();
    },
  };
}

/** What a consumer believes: name → the round that its resource is of. */
function believe(recorder: Recorder, roundOf: (bytes: Uint8Array) => number): Map<string, number> {
  const state = new Map<string, number>();
  recorder.onUpdate = ({ resources, removed, full }) => {
    if (full) state.clear();
    for (const { name, bytes } of resources) state.set(name, roundOf(bytes));
    for (const name of removed) state.delete(name);
  };
  return state;
}

for (const apiType of ['GRPC', 'DELTA_GRPC']) {
  test(`${apiType}: edits and cuts at random, and the end is what the folder says`, async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'pilotfish-chaos-'));
    const present = new Map<string, number>();
    const write = (): void => {
      const resources = [...present].flatMap(([name, round]) => [
        { '@type': CDS, name, alt_stat_name: String(round) },
        { '@type': EDS, cluster_name: name, policy: { overprovisioning_factor: 100 + round } },
      ]);
      writeFileSync(path.join(folder, 'all.json.new'), JSON.stringify(resources));
      renameSync(path.join(folder, 'all.json.new'), path.join(folder, 'all.json'));
    };
    present.set('c0', 0);
    write();
    const server = await startResourceServer(folder);
    const proxy = await cuttingProxy(Number(server.address.split(':')[1]));
    const xds = client(xdsCluster(`127.0.0.1:${proxy.port}`), apiType);
    try {
      const cds = xds.subscribe(CDS);
      const clusters = believe(cds, (bytes) =>
        Number(decode('envoy.config.cluster.v3.Cluster', bytes).alt_stat_name),
      );
      const eds = xds.subscribe(EDS, NAMES);
      const endpoints = believe(
        eds,
        (bytes) =>
          decode('envoy.config.endpoint.v3.ClusterLoadAssignment', bytes).policy!.overprovisioning_factor!
            .value - 100,
      );
      const first = cds.onUpdate;
      cds.onUpdate = (update) => {
        first(update);
        assert.ok(clusters.has('c0'), 'what always exists is never lost');
      };
      for (let round = 1; round <= ROUNDS; round++) {
        for (const name of NAMES) {
          if (name !== 'c0' && Math.random() < 0.2) present.delete(name);
          else if (Math.random() < 0.4) present.set(name, round);
        }
        write();
        await pause(Math.random() * 60);
        if (Math.random() < 0.5) proxy.cut();
      }
      const same = (): boolean =>
        present.size === clusters.size &&
        [...present].every(([name, round]) => clusters.get(name) === round && endpoints.get(name) === round);
      for (const deadline = Date.now() + 5_000; !same() && Date.now() < deadline; ) await pause(20);
      assert.deepEqual(new Map([...clusters].sort()), new Map([...present].sort()));
      for (const [name, round] of present) assert.equal(endpoints.get(name), round, `endpoints of ${name}`);
      assert.ok(xds.factory.streams[0]!.streams > 2, 'streams were cut');
      assert.equal(xds.factory.streams[0]!.types[0]!.nacks, 0);
    } finally {
      xds.close();
      proxy.close();
      server.close();
      rmSync(folder, { recursive: true });
    }
  });
}
