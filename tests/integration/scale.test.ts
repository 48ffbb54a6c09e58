// Ten thousand clusters by incremental xDS: what changes costs, not what is there.

import assert from 'node:assert/strict';
import type http from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlPlane, staticCluster } from './control_plane.ts';
import { ask, eventually, ProxyProcess } from './proxy_process.ts';
import { edsCluster, endpoints, httpFilter, listener, namedBackend, portOf } from './resources.ts';
import { between, HAS_THREAD_TIMES, threadTimes } from './thread_times.ts';

const CLUSTERS = 10_000;
/** ms of CPU time that one more cluster may cost the main thread, and a worker. */
const BUDGET_MS = 50;
/** ms in which everything that an update starts is over, and little else happens. */
const SETTLED_MS = 200;
const SAMPLES = 3;

/** The route takes the name of its cluster from the request. */
const ROUTES = {
  name: 'any',
  virtual_hosts: [
    {
      name: 'all',
      domains: ['*'],
      routes: [{ match: { prefix: '/' }, route: { cluster_header: 'x-cluster' } }],
    },
  ],
};

let backend: http.Server;
before(async () => (backend = await namedBackend('here')));
after(() => backend.close());

measure('STATIC', (name, timeout) => ({
  ...staticCluster(name, portOf(backend)),
  connect_timeout: timeout,
}));
measure('EDS', (name, timeout) => edsCluster(name, { connect_timeout: timeout }));

function measure(type: string, cluster: (name: string, timeout: string) => object): void {
  const title = `one more of ${CLUSTERS} ${type} clusters by delta xDS`;
  test(title, { skip: !HAS_THREAD_TIMES && 'no thread times in /proc' }, async (t) => {
    const plane = await ControlPlane.start();
    t.after(() => plane.close());
    const hold = (name: string): void => {
      if (type === 'EDS') plane.hold('endpoints', name, endpoints(name, [portOf(backend)]));
    };
    for (let i = 0; i < CLUSTERS; i++) {
      plane.hold('cluster', `c${i}`, cluster(`c${i}`, '1s'));
      hold(`c${i}`);
    }
    plane.hold('route', 'any', ROUTES);
    plane.hold('listener', 'in', listener('in', 0, [{ filters: [httpFilter('any')] }]));
    const proxy = await ProxyProcess.start(
      ...['--config-yaml', JSON.stringify(plane.bootstrap()), '--concurrency', '1'],
    );
    t.after(() => proxy.stop());
    const url = `http://127.0.0.1:${await proxy.port('in')}/`;
    const changes: Record<string, (name: string) => Promise<string | undefined>> = {
      added: (name) => plane.set('cluster', { [name]: cluster(name, '1s') }),
      changed: (name) => plane.set('cluster', { [name]: cluster(name, '2s') }),
      removed: (name) => plane.remove('cluster', name),
    };
    for (const [what, change] of Object.entries(changes)) {
      const best = { main: Number.POSITIVE_INFINITY, workers: Number.POSITIVE_INFINITY };
      for (let sample = 0; sample < SAMPLES; sample++) {
        const name = `more${sample}`;
        hold(name);
        await sleep(SETTLED_MS);
        const start = threadTimes(proxy.pid);
        assert.ok(start.workers > 0, 'the worker is one of the threads');
        assert.equal(await change(name), undefined);
        await sleep(SETTLED_MS);
        const spent = between(start, threadTimes(proxy.pid));
        best.main = Math.min(best.main, spent.main);
        best.workers = Math.min(best.workers, spent.workers);
        const expected = what === 'removed' ? 503 : 200;
        await eventually(
          async () => (await ask(url, { headers: { 'x-cluster': name } })).status === expected,
          `${name} ${what}`,
        );
      }
      const report = `${what}: ${best.main.toFixed(1)} ms of the main thread, ${best.workers.toFixed(1)} ms of the worker`;
      t.diagnostic(report);
      assert.ok(best.main <= BUDGET_MS && best.workers <= BUDGET_MS, report);
    }
  });
}
