// Ten thousand clusters by incremental xDS: what changes costs, not what is there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlPlane, staticCluster } from './control_plane.ts';
import { ask, ProxyProcess } from './proxy_process.ts';
import { httpFilter, listener, namedBackend, portOf } from './resources.ts';
import { between, HAS_THREAD_TIMES, threadTimes } from './thread_times.ts';

const CLUSTERS = 10_000;
/** ms of CPU time that one more cluster may cost the main thread, and a worker. */
const BUDGET_MS = 50;
/** ms in which everything that an update starts is over, and little else happens. */
const SETTLED_MS = 200;
const SAMPLES = 3;

/** The route takes the name of its cluster from the request. */
const anyCluster = {
  name: 'any',
  virtual_hosts: [
    {
      name: 'all',
      domains: ['*'],
      routes: [{ match: { prefix: '/' }, route: { cluster_header: 'x-cluster' } }],
    },
  ],
};

test(`one more of ${CLUSTERS} clusters by delta xDS`, {
  skip: !HAS_THREAD_TIMES && 'no /proc',
}, async (t) => {
  const plane = await ControlPlane.start();
  t.after(() => plane.close());
  const backend = await namedBackend('here');
  t.after(() => backend.close());
  const port = portOf(backend);
  for (let i = 0; i < CLUSTERS; i++) plane.hold('cluster', `c${i}`, staticCluster(`c${i}`, port));
  plane.hold('listener', 'in', listener('in', 0, [{ filters: [httpFilter('any')] }]));
  plane.hold('route', 'any', anyCluster);
  const proxy = await ProxyProcess.start(
    ...['--config-yaml', JSON.stringify(plane.bootstrap()), '--concurrency', '1'],
  );
  t.after(() => proxy.stop());
  const url = `http://127.0.0.1:${await proxy.port('in')}/`;
  const ways: Record<string, (name: string) => Promise<string | undefined>> = {
    added: (name) => plane.set('cluster', { [name]: staticCluster(name, port) }),
    changed: (name) =>
      plane.set('cluster', { [name]: { ...staticCluster(name, port), connect_timeout: '2s' } }),
    removed: (name) => plane.remove('cluster', name),
  };
  for (const [way, change] of Object.entries(ways)) {
    const main: number[] = [];
    const worker: number[] = [];
    for (let sample = 0; sample < SAMPLES; sample++) {
      const name = `more${sample}`;
      await sleep(SETTLED_MS);
      const before = threadTimes(proxy.pid);
      assert.ok(before.workers > 0, 'a worker was found');
      assert.equal(await change(name), undefined);
      await sleep(SETTLED_MS);
      const spent = between(before, threadTimes(proxy.pid));
      main.push(spent.main);
      worker.push(spent.workers);
      const { status } = await ask(url, { headers: { 'x-cluster': name } });
      assert.equal(status, way === 'removed' ? 503 : 200);
    }
    const best = { main: Math.min(...main), worker: Math.min(...worker) };
    t.diagnostic(
      `${way}: ${best.main.toFixed(1)} ms of the main thread, ${best.worker.toFixed(1)} ms of the worker`,
    );
    assert.ok(best.main <= BUDGET_MS, `main thread: ${main} ms`);
    assert.ok(best.worker <= BUDGET_MS, `worker: ${worker} ms`);
  }
});
