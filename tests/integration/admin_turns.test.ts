// No answer of the admin port keeps the main thread for long, with ten thousand clusters and fifty thousand routes: every endpoint is
// asked, and the longest turn of the event loop meanwhile measured.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { API_ENDPOINTS } from '../../server/main/admin/api/api.ts';
import { HANDLERS } from '../../server/main/admin/handlers.ts';
import { clustersBootstrap, discoveryResponse } from '../perf/bootstraps.ts';
import { mixedRoutes } from '../perf/route_tables.ts';
import { ProxyProcess } from './proxy_process.ts';
import { listener, TYPE } from './resources.ts';

const CLUSTERS = 10_000;
const ROUTES = 50_000;
/** ms of CPU time, on a machine that needs REFERENCE_MS for the reference work; slower ones have as much more. */
const LONGEST_TURN_MS = 20;
const REFERENCE_MS = 38;
/** The best counts: a collection of garbage may fall into any turn, and the first time what answers is loaded, too. */
const TRIES = 3;
const MAIN = path.join(import.meta.dirname, '..', '..', 'server', 'main.ts');

/**
 * Not asked: they end or drain the proxy, never end, or are about the collection of profiles, which stops a thread by its nature.
 * Explanations and lists of routes read the route configuration in one go, which takes 0.1 s for this one, and explanations compile it,
 * too: docs/performance.md.
 */
const LEFT_OUT = [
  '/quitquitquit',
  '/drain_listeners',
  '/cpuprofiler',
  '/heapprofiler',
  '/heap_dump',
  '/peak_heap_dump',
  '/allocprofiler',
  '/tap',
  '/api/events',
  '/api/requests/events',
  '/explain',
  '/api/explain',
  '/api/routes',
];
/** What is asked of endpoints that need more than their path. */
const QUERIES: Readonly<Record<string, readonly string[]>> = {
  '/config_dump': ['', '?resource=dynamic_active_clusters&mask=cluster.name', '?mask=dynamic_route_configs'],
  '/clusters': ['', '?format=json'],
  '/stats': ['', '?filter=c99.*total', '?usedonly'],
  '/stats/prometheus': ['', '?usedonly'],
  '/api/clusters': ['', '?search=c99&sort=-name'],
  '/api/hosts': ['', '?search=c99'],
  '/api/stats': ['', '?search=c99'],
  '/api/resources': ['', '?kind=cluster&sort=-size_bytes', '?search=c99'],
  '/api/history': ['', '?kind=cluster&search=c99'],
};
const PATHS: Readonly<Record<string, readonly string[]>> = {
  '/api/resources/{kind}/{name}': ['/api/resources/cluster/c9999', '/api/resources/route/long'],
  '/api/history/{id}': ['/api/history/5000', '/api/history/10003'],
  '/api/clusters/{name}': ['/api/clusters/c9999'],
  '/api/listeners/{name}': ['/api/listeners/web'],
};
interface Question {
  readonly method: 'GET' | 'POST';
  readonly target: string;
}

describe(`with ${CLUSTERS} clusters and ${ROUTES} routes`, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'turns-'));
  const watchPath = path.join(directory, 'watch');
  let proxy: ProxyProcess;

  before(async () => {
    write('cds.json', discoveryResponse(CLUSTERS, '1'));
    const { config } = mixedRoutes(ROUTES, 'c1');
    const routes = { '@type': `${TYPE}config.route.v3.RouteConfiguration`, ...config };
    write('rds.json', { version_info: '1', resources: [routes] });
    process.env['TURN_WATCH'] = watchPath;
    const watch = path.join(import.meta.dirname, 'turn_watch.ts');
    const command = [process.execPath, '--import', watch, MAIN];
    const bootstrap = {
      ...clustersBootstrap(0, path.join(directory, 'cds.json')),
      static_resources: { listeners: [web()] },
    };
    proxy = await ProxyProcess.startAs(
      command,
      '--config-yaml',
      JSON.stringify(bootstrap),
      '--concurrency',
      '1',
    );
    delete process.env['TURN_WATCH'];
  });
  after(async () => {
    await proxy?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('every endpoint lets the event loop run', { timeout: 120_000 }, async (t) => {
    const limit = LONGEST_TURN_MS * Math.max(1, Math.min(referenceMs(), referenceMs()) / REFERENCE_MS);
    const tooLong: [question: string, ms: number][] = [];
    for (const { method, target } of questions()) {
      let best = Number.POSITIVE_INFINITY;
      const tries: string[] = [];
      while (best > limit && tries.length < TRIES) {
        const longest = await longestTurn(method, target);
        best = Math.min(best, longest);
        tries.push(longest.toFixed(1));
      }
      t.diagnostic(`${tries.join(', ')} ms: ${method} ${target}`);
      if (best > limit) tooLong.push([`${method} ${target}`, best]);
    }
    assert.deepEqual(tooLong, []);
  });

  function write(name: string, json: object): void {
    writeFileSync(path.join(directory, name), JSON.stringify(json));
  }

  function web(): object {
    const source = {
      resource_api_version: 'V3',
      path_config_source: { path: path.join(directory, 'rds.json') },
    };
    const rds = { route_config_name: 'long', config_source: source };
    const router = { '@type': `${TYPE}extensions.filters.http.router.v3.Router` };
    const typed_config = {
      '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'web',
      rds,
      http_filters: [{ name: 'router', typed_config: router }],
    };
    return listener('web', 0, [{ filters: [{ name: 'hcm', typed_config }] }]);
  }

  /** ms of CPU time of the main thread while it answers. */
  async function longestTurn(method: string, target: string): Promise<number> {
    const watch = net.connect(watchPath);
    await once(watch, 'connect');
    const { status } = await proxy.admin(target, method);
    assert.ok(status < 500 || target === '/healthcheck/fail', `${method} ${target}: ${status}`);
    watch.write('?');
    const [longest] = (await once(watch, 'data')) as [Buffer];
    return Number(longest);
  }
});

function questions(): Question[] {
  const envoy = HANDLERS.map(({ path: at, mutates }): readonly [string, Question['method']] => [
    at,
    mutates ? 'POST' : 'GET',
  ]);
  const own = API_ENDPOINTS.map(({ path: at, method }): readonly [string, Question['method']] => [
    at,
    method ?? 'GET',
  ]);
  return [...envoy, ...own]
    .filter(([at]) => !LEFT_OUT.includes(at))
    .flatMap(([at, method]) => {
      const paths = PATHS[at] ?? [at.replaceAll(/\{\w+\}/g, '1')];
      return paths.flatMap((each) =>
        (QUERIES[at] ?? ['']).map((query) => ({ method, target: each + query })),
      );
    });
}

/** ms of CPU time for work like that of the admin port: texts made, sorted and printed. */
function referenceMs(): number {
  const begin = process.threadCpuUsage();
  const items = Array.from({ length: 50_000 }, (_, i) => ({ key: `name-${(i * 7919) % 50_000}` }));
  items.sort((a, b) => (a.key < b.key ? -1 : 1));
  assert.ok(JSON.stringify(items).length > 0);
  const { user, system } = process.threadCpuUsage(begin);
  return (user + system) / 1000;
}
