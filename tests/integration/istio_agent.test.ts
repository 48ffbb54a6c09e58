// Istio's agent starts Pilotfish in Envoy's place: with the bootstraps that it writes, its flags, and its questions to the admin port.
// The bootstraps are Istio's, so they are read from where PILOTFISH_ISTIOD_STREAMS lies and not kept here.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import zlib from 'node:zlib';
import { AGENT_FLAGS, AgentEnvironment } from './agent_environment.ts';
import { ask, eventually, ProxyProcess } from './proxy_process.ts';

const STREAMS = process.env['PILOTFISH_ISTIOD_STREAMS'];
const FOLDER = STREAMS === undefined ? '' : path.join(STREAMS, '..', 'bootstrap');
const SKIP = !existsSync(path.join(FOLDER, 'default_golden.json')) && 'set PILOTFISH_ISTIOD_STREAMS';
const BIN = path.join(import.meta.dirname, '../../bin/pilotfish.cjs');

const STARTED = '/stats?usedonly&filter=^(server\\.state|listener_manager\\.workers_started)';
const UPDATED =
  '/stats?usedonly&filter=^(cluster_manager\\.cds|listener_manager\\.lds)\\.(update_success|update_rejected)$';

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  identity: (bytes) => bytes,
  gzip: zlib.gunzipSync,
  br: zlib.brotliDecompressSync,
  zstd: zlib.zstdDecompressSync,
};

/** `ambient` discovers workloads: that it becomes ready shows that the start does not wait for them, and then they come. */
const BOOTSTRAPS = ['default', 'authsds', 'xdsproxy', 'ambient', 'tracing_zipkin'];

describe('bootstraps of the agent', { skip: SKIP }, () => {
  let environment: AgentEnvironment;
  before(async () => {
    environment = await AgentEnvironment.start();
  });
  after(() => environment?.close());

  const validate = (name: string) => {
    const file = environment.adopt(path.join(FOLDER, `${name}_golden.json`));
    const flags = [BIN, '--mode', 'validate', '-c', file, ...AGENT_FLAGS];
    return spawnSync(process.execPath, flags, { encoding: 'utf8' });
  };
  for (const name of BOOTSTRAPS) {
    test(`${name} is valid`, () => {
      const { status, stdout, stderr } = validate(name);
      assert.equal(status, 0, stdout + stderr);
    });
  }
});

for (const name of BOOTSTRAPS) {
  describe(`the agent with ${name}`, { skip: SKIP }, () => {
    let environment: AgentEnvironment;
    let proxy: ProxyProcess;
    before(async () => {
      environment = await AgentEnvironment.start();
      const file = environment.adopt(path.join(FOLDER, `${name}_golden.json`));
      proxy = await ProxyProcess.start('-c', file, ...AGENT_FLAGS);
    });
    after(async () => {
      await proxy?.stop();
      environment?.close();
    });

    test('sees it become ready', async () => {
      assert.equal((await proxy.admin('/ready')).body, 'LIVE\n');
      assert.equal(
        (await proxy.admin(STARTED)).body,
        'listener_manager.workers_started: 1\nserver.state: 0\n',
      );
      await eventually(
        async () => (await proxy.admin(UPDATED)).body.split('\n').length > 2,
        'CDS and LDS have come',
      );
      assert.equal(
        (await proxy.admin(UPDATED)).body,
        'cluster_manager.cds.update_success: 1\nlistener_manager.lds.update_success: 1\n',
      );
      assert.deepEqual(environment.nacks, []);
    });

    test('has all listeners and clusters of the mesh, with their secrets', async () => {
      await eventually(async () => {
        const { body } = await proxy.admin('/stats?filter=total_listeners');
        return body.includes('total_listeners_warming: 0\n') && body.includes('total_listeners_active: 9\n');
      }, 'seven listeners are active beside the two of the bootstrap');
      const { body } = await proxy.admin('/listeners');
      assert.match(body, /^virtualInbound::/m);
      assert.match((await proxy.admin('/clusters')).body, /^inbound\|9080\|\|::/m);
      assert.match((await proxy.admin('/certs')).body, /"subject_alt_names"/);
    });

    test('discovers workloads where its bootstrap says so, and only there', async () => {
      const ambient = name === 'ambient';
      const total = (await proxy.admin('/stats?filter=^workload_discovery\\.total')).body;
      assert.equal(total, ambient ? 'workload_discovery.total: 2\n' : '');
      const asked = environment.xds.requests.filter(({ request }) => request.type_url.endsWith('.Workload'));
      assert.equal(asked.length > 0, ambient);
      assert.deepEqual(asked[0]?.request.resource_names_subscribe ?? [], []);
    });

    test('may write fields that this version does not know', async () => {
      const { body } = await proxy.admin('/stats?filter=unknown_fields');
      assert.match(body, /^server\.static_unknown_fields: 1$/m);
    });

    test('sends the node it was given', () => {
      const { node } = environment.xds.requests[0]!.request;
      assert.equal(node?.id, 'sidecar~1.2.3.4~foo~bar');
      assert.equal(node?.metadata?.fields['MORE']?.string_value, 'x');
      assert.equal(node?.metadata?.fields['ISTIO_VERSION']?.string_value, 'binary-1.0');
    });

    for (const [encoding, decode] of Object.entries(DECODERS)) {
      test(`scrapes statistics through the proxy, ${encoding}`, async () => {
        const { headers, bytes } = await scrape(environment.ports.prometheus, encoding);
        assert.equal(headers['content-encoding'], encoding === 'identity' ? undefined : encoding);
        const text = String(decode(bytes));
        assert.match(text, /^envoy_server_live(\{\})? 1$/m);
        assert.match(text, /^envoy_cluster_manager_cds_update_success(\{\})? 1$/m);
      });
    }

    test('is asked by the kubelet through the proxy', async () => {
      const { status, body } = await ask(`http://127.0.0.1:${environment.ports.readiness}/healthz/ready`);
      assert.deepEqual([status, body], [200, 'agent is ready']);
      assert.equal((await ask(`http://127.0.0.1:${environment.ports.readiness}/other`)).status, 404);
    });

    test('drains it, and it goes on until it is ended', async () => {
      const drained = await proxy.admin('/drain_listeners?inboundonly&graceful&skip_exit', 'POST');
      assert.deepEqual([drained.status, drained.body], [200, 'OK\n']);
      assert.equal((await proxy.admin('/ready')).status, 200);
      const { headers } = await scrape(environment.ports.prometheus, 'gzip');
      assert.notEqual(headers.connection, 'close');
      assert.deepEqual(await proxy.stop(), { code: 0, signal: null });
    });
  });
}

function scrape(
  port: number,
  encoding: string,
): Promise<{ headers: http.IncomingHttpHeaders; bytes: Buffer }> {
  const url = `http://127.0.0.1:${port}/stats/prometheus`;
  return new Promise((resolve, reject) => {
    const options = { agent: false, headers: { 'accept-encoding': encoding, connection: 'keep-alive' } };
    const request = http.get(url, options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve({ headers: response.headers, bytes: Buffer.concat(parts) }));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}
