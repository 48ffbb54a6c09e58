// Debian's promtool reads what Prometheus is given, and its Prometheus scrapes it, as text and as protobuf with native
// histograms, and answers what dashboards of Istio ask.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ISTIO_METRICS, MAYBE_EMPTY } from '../fixtures/istio_metrics.ts';
import { ANY_ADMIN_PORT, ask, ProxyProcess } from './proxy_process.ts';
import { namedBackend, portOf, TYPE } from './resources.ts';

const MISSING = ['promtool', 'prometheus'].filter(
  (tool) => spawnSync(tool, ['--version']).error !== undefined,
);
const SKIP = MISSING.length > 0 && `not installed: ${MISSING.join(', ')} (Debian's package prometheus)`;
/** promtool's exit code for a text that it can read and has advice on; Envoy's names get it, too. */
const ADVICE_ONLY = 3;
const SCRAPE_SECONDS = 1;
const SCRAPED_MS = 20_000;

const STATS = { name: 'istio.stats', typed_config: { '@type': 'type.googleapis.com/stats.PluginConfig' } };

function address(port_value: number): object {
  return { socket_address: { address: '127.0.0.1', port_value } };
}

/** A sidecar's HTTP and TCP, as far as its statistics go. */
function bootstrap(port: number): object {
  const manager = {
    '@type': `${TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    route_config: {
      name: 'r',
      virtual_hosts: [
        { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'backend' } }] },
      ],
    },
    http_filters: [
      STATS,
      { name: 'router', typed_config: { '@type': `${TYPE}extensions.filters.http.router.v3.Router` } },
    ],
  };
  const tcp = {
    '@type': `${TYPE}extensions.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: 'tcp',
    cluster: 'backend',
  };
  return {
    ...ANY_ADMIN_PORT,
    node: {
      id: 'sidecar~10.0.0.1~app.default~default.svc.cluster.local',
      metadata: { ISTIO_VERSION: '1.28.0', NAME: 'app-1', NAMESPACE: 'default', WORKLOAD_NAME: 'app', CLUSTER_ID: 'Kubernetes', LABELS: { app: 'app', version: 'v1', 'service.istio.io/canonical-name': 'app', 'service.istio.io/canonical-revision': 'v1' } },
    }, // biome-ignore format: a table
    stats_flush_interval: '0.5s',
    stats_config: {
      use_all_default_tags: false,
      stats_tags: [{ tag_name: 'cluster_name', regex: '^cluster\\.((.+?)\\.)' }],
    },
    static_resources: {
      listeners: [
        {
          name: 'http',
          address: address(0),
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
        },
        {
          name: 'tcp',
          address: address(0),
          filter_chains: [{ filters: [STATS, { name: 'tcp', typed_config: tcp }] }],
        },
      ],
      clusters: [
        {
          name: 'backend',
          connect_timeout: '1s',
          load_assignment: {
            cluster_name: 'backend',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
          },
        },
      ],
    },
  };
}

describe('Prometheus', { skip: SKIP, timeout: 60_000 }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-prometheus-'));
  let backend: http.Server;
  let proxy: ProxyProcess;
  let prometheus: ChildProcess;
  let api = '';

  before(async () => {
    backend = await namedBackend('here');
    proxy = await ProxyProcess.start(
      '--config-yaml',
      JSON.stringify(bootstrap(portOf(backend))),
      '--concurrency',
      '1',
    );
    for (let i = 0; i < 20; i++)
      assert.equal((await ask(`http://127.0.0.1:${await proxy.port('http')}/`)).status, 200);
    const tcp = net.connect(await proxy.port('tcp'), '127.0.0.1');
    tcp.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    tcp.resume();
    await once(tcp, 'close');
    const [host = '', port = ''] = proxy.adminAddress.split(':');
    [prometheus, api] = await startPrometheus(directory, `${host}:${port}`);
  });
  after(async () => {
    prometheus?.kill();
    if (prometheus?.exitCode === null) await once(prometheus, 'exit');
    await proxy?.stop();
    backend?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  for (const parameters of ['', '?usedonly', '?histogram_buckets=summary', '?text_readouts']) {
    test(`promtool reads /stats/prometheus${parameters}`, async () => {
      const { body } = await proxy.admin(`/stats/prometheus${parameters}`);
      const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], {
        input: body,
        encoding: 'utf8',
      });
      assert.equal(status, ADVICE_ONLY, stderr.slice(0, 2000));
    });
  }

  for (const job of ['text', 'native']) {
    test(`is scraped: ${job}`, async () => {
      assert.deepEqual(await eventuallyFound(api, `up{job="${job}"} == 1`), [
        { __name__: 'up', instance: job, job },
      ]);
    });
  }

  for (const [metric, labels] of Object.entries(ISTIO_METRICS)) {
    test(`${metric} has the labels that dashboards ask for`, async () => {
      const [series] = await eventuallyFound(api, `${metric}{job="text"}`);
      const missing = labels.filter((label) => !series![label] && !MAYBE_EMPTY.has(label));
      assert.deepEqual(missing, [], JSON.stringify(series));
    });
  }

  test('what a dashboard computes comes out', async () => {
    const requests = 'sum(istio_requests_total{reporter="source",response_code="200",job="text"})';
    assert.equal(await numberOf(api, requests), 20);
    const p99 =
      'histogram_quantile(0.99, sum by (le) (istio_request_duration_milliseconds_bucket{job="text"}))';
    assert.ok((await numberOf(api, p99)) > 0);
    // Of a native histogram, there is no series for each bucket.
    const native = 'histogram_quantile(0.99, sum(istio_request_duration_milliseconds{job="native"}))';
    assert.ok((await numberOf(api, native)) > 0);
    assert.equal(
      await numberOf(api, 'histogram_count(sum(istio_request_duration_milliseconds{job="native"}))'),
      20,
    );
  });
});

/** The process, and the address of its API. */
async function startPrometheus(directory: string, target: string): Promise<[ChildProcess, string]> {
  const job = (job_name: string, params: object): object => ({
    job_name,
    metrics_path: '/stats/prometheus',
    params,
    static_configs: [{ targets: [target], labels: { instance: job_name } }],
  });
  const config = {
    global: { scrape_interval: `${SCRAPE_SECONDS}s`, scrape_timeout: `${SCRAPE_SECONDS}s` },
    scrape_configs: [job('text', {}), job('native', { histogram_buckets: ['prometheusnative'] })],
  };
  const file = path.join(directory, 'prometheus.json');
  writeFileSync(file, JSON.stringify(config));
  const port = await freePort();
  const flags = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${path.join(directory, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--enable-feature=native-histograms',
    '--log.level=error',
  ];
  return [spawn('prometheus', flags, { stdio: 'ignore' }), `http://127.0.0.1:${port}/api/v1`];
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server);
  server.close();
  return port;
}

interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

async function query(api: string, expression: string): Promise<readonly Result[]> {
  try {
    const { body } = await ask(`${api}/query?query=${encodeURIComponent(expression)}`);
    return (JSON.parse(body) as { data: { result: Result[] } }).data.result;
  } catch {
    // Not listening yet.
    return [];
  }
}

/** The series that the expression finds, once it finds some. */
async function eventuallyFound(api: string, expression: string): Promise<readonly Result['metric'][]> {
  for (const deadline = Date.now() + SCRAPED_MS; ; await sleep(200)) {
    const found = await query(api, expression);
    if (found.length > 0) return found.map(({ metric }) => metric);
    assert.ok(Date.now() < deadline, `nothing for ${expression}`);
  }
}

async function numberOf(api: string, expression: string): Promise<number> {
  await eventuallyFound(api, expression);
  return Number((await query(api, expression))[0]?.value[1]);
}
