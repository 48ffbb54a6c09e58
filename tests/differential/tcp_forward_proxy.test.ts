// tcp_proxy to a dynamic_forward_proxy cluster without a filter that looks names up: the cluster begins to, the connection does not
// wait for it, and the next one finds what came of it. What clients see, access logs and stats of Envoy and Pilotfish are compared.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeDnsServer } from '../fakes/dns_server.ts';
import { listener, TYPE } from '../integration/resources.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { countedStats, loggedLines, stdoutLog } from './forward_proxy.ts';

const skip = ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN';
const LOG =
  'LOG %RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS% %RESPONSE_CODE_DETAILS% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% ' +
  '%UPSTREAM_REQUEST_ATTEMPT_COUNT% %BYTES_RECEIVED% %BYTES_SENT% %DOWNSTREAM_LOCAL_CLOSE_REASON%';
const STATS =
  '(^cluster.d.*(upstream_rq_(total|active|pending)|upstream_cx_(total|active|none_healthy|overflow|connect_fail)|circuit_breakers.default.remaining_cx:)|dns_cache.d.(dns_query|host_|dns_rq)|^tcp.t.)';
/** Bytes and what comes of how they were cut. */
const BY_CHANCE = /flow_control|_ms/;

let backend: net.Server;
let dns: FakeDnsServer;
before(async () => {
  backend = net.createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  dns = await FakeDnsServer.start({
    'a.test': ['127.0.0.1'],
    'b.test': ['127.0.0.1'],
    'refused.test': ['127.0.0.9'],
    'broken.test': 'fail',
  });
});
after(() => {
  backend.close();
  dns.close();
});

/** Says hello and reads the answer. */
async function talk(port: number): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text === 'hello') socket.end();
  });
  socket.write('hello');
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

const filterState = (key: string, value: string): object => ({
  object_key: key,
  format_string: { text_format_source: { inline_string: value } },
});

/** One listener for each host that connections go to. */
function bootstrap(cache: object, hosts: readonly string[], more: object): object {
  const access_log = [stdoutLog(LOG)];
  const proxy = {
    name: 'tcp',
    typed_config: {
      '@type': `${TYPE}extensions.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: 't',
      cluster: 'd',
      access_log,
    },
  };
  const named = (host: string): object => ({
    name: 'names',
    typed_config: {
      '@type': `${TYPE}extensions.filters.network.set_filter_state.v3.Config`,
      on_new_connection: [
        filterState('envoy.upstream.dynamic_host', host),
        filterState('envoy.upstream.dynamic_port', String((backend.address() as AddressInfo).port)),
      ],
    },
  });
  const typed_config = {
    '@type': `${TYPE}extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig`,
    dns_cache_config: {
      name: 'd',
      dns_lookup_family: 'V4_ONLY',
      typed_dns_resolver_config: dns.resolver({ query_timeout_seconds: 1, query_tries: 1 }),
      ...cache,
    },
  };
  return {
    stats_flush_interval: '0.1s',
    static_resources: {
      clusters: [
        {
          name: 'd',
          connect_timeout: '2s',
          lb_policy: 'CLUSTER_PROVIDED',
          cluster_type: { name: 'envoy.clusters.dynamic_forward_proxy', typed_config },
          ...more,
        },
      ],
      listeners: hosts.map((host) =>
        listener(host, 0, [{ filters: host === 'nameless' ? [proxy] : [named(host), proxy] }]),
      ),
    },
  };
}

/** Until what a connection began to look up is known. */
async function untilLookedUp(proxy: EnvoyProcess): Promise<void> {
  // The main thread hears of it in its own time.
  await sleep(200);
  for (let tries = 0; ; tries++) {
    const url = `${proxy.admin}/stats?filter=^dns_cache.d.dns_query&format=json`;
    const { stats } = (await (await fetch(url)).json()) as { stats: { name: string; value: number }[] };
    const value = (name: string): number =>
      stats.find((each) => each.name === `dns_cache.d.dns_query_${name}`)?.value ?? 0;
    if (value('attempt') <= value('success') + value('failure') + value('timeout')) return;
    assert.ok(tries < 200, 'the name server does not answer');
    await sleep(50);
  }
}

async function observe(command: readonly string[], cache: object, hosts: readonly string[], more: object) {
  const proxy = await EnvoyProcess.start(bootstrap(cache, [...new Set(hosts)], more), command);
  try {
    const answers: string[] = [];
    for (const host of hosts) {
      answers.push(await talk(proxy.ports.get(host)!));
      await untilLookedUp(proxy);
    }
    const logs = await loggedLines(proxy, answers.length);
    const counted = (await countedStats(proxy, STATS)).filter((line) => !BY_CHANCE.test(line));
    return { answers, logs, counted };
  } finally {
    await proxy.stop();
  }
}

function compare(
  title: string,
  hosts: readonly string[],
  { cache = {}, cluster = {} }: { cache?: object; cluster?: object } = {},
): void {
  test(title, { skip, timeout: 60_000 }, async () => {
    const envoy = await observe([ENVOY_BIN!], cache, hosts, cluster);
    assert.deepEqual(await observe(PILOTFISH, cache, hosts, cluster), envoy);
  });
}

compare('hosts that are there', ['a.test', 'a.test', 'b.test', '127.0.0.1', 'b.test', '127.0.0.1']);
compare('hosts that are not there', [
  ...['broken.test', 'broken.test', 'nobody.test', 'nobody.test', 'refused.test', 'refused.test'],
]);
compare('no host at all', ['nameless']);
compare('more hosts than the cache may have', ['a.test', 'b.test', 'a.test'], { cache: { max_hosts: 1 } });
compare('more connections than may wait', ['a.test'], {
  cache: { dns_cache_circuit_breaker: { max_pending_requests: 0 } },
});
compare('no connection at all', ['a.test'], {
  cluster: { circuit_breakers: { thresholds: [{ max_connections: 0 }] } },
});
