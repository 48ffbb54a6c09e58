// The folder control plane, seen by the ADS client.

import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setLogLevel, setLogSink } from '../../server/common/log.ts';
import { startResourceServer } from '../../server/main/resource_server/resource_server.ts';
import { CDS, type Client, client, EDS, LDS, RDS, xdsCluster } from './harness.ts';

const logged: string[] = [];
const closers: (() => void)[] = [];
let folder = '';

beforeEach(() => {
  setLogLevel('config', 'error');
  setLogSink(({ text }) => logged.push(text));
  folder = mkdtempSync(path.join(tmpdir(), 'pilotfish-resources-'));
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
  logged.length = 0;
  rmSync(folder, { recursive: true });
});

const file = (name: string): string => path.join(folder, name);
const write = (name: string, text: string): void => writeFileSync(file(name), text);

async function logMatching(pattern: RegExp): Promise<string> {
  const deadline = Date.now() + 3_000;
  for (;;) {
    const found = logged.find((text) => pattern.test(text));
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`nothing like ${pattern} in ${JSON.stringify(logged)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const cluster = (name: string, more = ''): string =>
  `- '@type': ${CDS}\n  name: ${name}\n  connect_timeout: 1s\n${more}`;
const route = (name: string, to: string): string =>
  `- '@type': ${RDS}\n  name: ${name}\n  virtual_hosts:\n  - name: all\n    domains: ['*']\n    routes:\n    - match: {prefix: /}\n      route: {cluster: ${to}}\n`;

describe('the folder control plane', () => {
  for (const apiType of ['GRPC', 'DELTA_GRPC']) {
    const start = async (): Promise<Client> => {
      const server = await startResourceServer(folder);
      const xds = client(xdsCluster(server.address), apiType);
      closers.push(
        () => xds.close(),
        () => server.close(),
      );
      return xds;
    };

    test(`${apiType}: serves a list and a resources: file, by name and by wildcard, and follows edits`, async () => {
      write('a.yaml', cluster('one') + cluster('two'));
      write('b.json', JSON.stringify({ resources: [{ '@type': EDS, clusterName: 'one' }] }));
      write('README.md', 'not a resource');
      const xds = await start();
      const clusters = xds.subscribe(CDS);
      const endpoints = xds.subscribe(EDS, ['one']);
      const listeners = xds.subscribe(LDS);
      assert.deepEqual((await clusters.next()).added.toSorted(), ['one', 'two']);
      assert.deepEqual((await endpoints.next()).added, ['one']);
      assert.deepEqual((await listeners.next()).added, [], 'there are no listeners, and that is an answer');
      write('a.yaml', cluster('one') + cluster('two', '  lb_policy: RANDOM\n') + cluster('three'));
      const update = await clusters.next();
      const changed = apiType === 'GRPC' ? ['one', 'three', 'two'] : ['three', 'two'];
      assert.deepEqual(update.added.toSorted(), changed);
      // A rename keeps everything: no resource changed.
      renameSync(file('a.yaml'), file('c.yaml'));
      await new Promise((resolve) => setTimeout(resolve, 150));
      assert.equal(clusters.updates.length, 2);
      rmSync(file('c.yaml'));
      const gone = await clusters.next();
      if (apiType === 'GRPC') assert.deepEqual(gone.added, []);
      else assert.deepEqual(gone.removed.toSorted(), ['one', 'three', 'two']);
    });

    test(`${apiType}: a broken file keeps its last good state and is named with line and column`, async () => {
      write('a.yaml', cluster('one'));
      write('b.yaml', cluster('two'));
      const xds = await start();
      const clusters = xds.subscribe(CDS);
      assert.equal((await clusters.next()).added.length, 2);
      write('a.yaml', `${cluster('one')}  lb_polizy: RANDOM\n`);
      assert.match(await logMatching(/lb_polizy/), /a\.yaml:4:14: /);
      write('a.yaml', `${cluster('one')}  alt_stat_name: [\n`);
      assert.match(await logMatching(/a\.yaml:5:/), /^\/.*a\.yaml:5:\d+: /);
      write('b.yaml', cluster('two', '  lb_policy: RANDOM\n'));
      const update = await clusters.next();
      assert.equal(update.added.includes('two'), true);
      assert.equal(update.removed.length, 0);
      if (apiType === 'GRPC') assert.equal(update.added.includes('one'), true);
    });

    test(`${apiType}: a NACK is logged with file, line and field`, async () => {
      write('a.yaml', cluster('one') + cluster('two', '  lb_policy: RANDOM\n'));
      const xds = await start();
      const clusters = xds.subscribe(CDS);
      clusters.refuse.set('two', { name: 'two', path: 'lb_policy', reason: 'out of fashion' });
      const line = await logMatching(/out of fashion/);
      assert.match(line, /a\.yaml:7:14: cluster 'two' was rejected: lb_policy: out of fashion$/);
    });

    test(`${apiType}: what is new comes before what leads to it, what is old goes after`, async () => {
      write('a.yaml', cluster('old') + route('r', 'old'));
      const xds = await start();
      const clusters = xds.subscribe(CDS);
      const routes = xds.subscribe(RDS, ['r']);
      await clusters.next();
      await routes.next();
      const order: string[] = [];
      const present = new Set(['old']);
      clusters.onUpdate = ({ added, removed, full }) => {
        if (full) present.clear();
        for (const name of added) present.add(name);
        for (const name of removed) present.delete(name);
        order.push(`clusters ${[...present].sort()}`);
      };
      routes.onUpdate = () => order.push('route');
      write('a.yaml', cluster('new') + route('r', 'new'));
      await clusters.until(() => order.length === 3);
      assert.deepEqual(order, ['clusters new,old', 'route', 'clusters new']);
    });
  }

  test('a name that is defined twice is served from the first file and said once', async () => {
    write('a.yaml', cluster('one', '  lb_policy: RANDOM\n'));
    write('b.yaml', cluster('one'));
    const server = await startResourceServer(folder);
    const xds = client(xdsCluster(server.address), 'GRPC');
    closers.push(
      () => xds.close(),
      () => server.close(),
    );
    assert.deepEqual((await xds.subscribe(CDS).next()).added, ['one']);
    assert.match(
      await logMatching(/already defined/),
      /b\.yaml:1:3: 'one' is already defined at .*a\.yaml:1:3$/,
    );
    assert.equal(logged.length, 1);
  });

  test('a type that is no resource is refused with its place', async () => {
    write('a.yaml', `- '@type': type.googleapis.com/envoy.config.core.v3.Node\n  id: x\n`);
    closers.push((await startResourceServer(folder)).close);
    assert.match(await logMatching(/not a resource/), /a\.yaml:1:\d+: /);
  });

  test('a folder that is not there is an error', async () => {
    await assert.rejects(startResourceServer(file('nope')), /ENOENT/);
  });
});
