// Load reports out of band (ORCA) beside Envoy: what hosts are asked, what becomes of their reports, and when they are asked again.

import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  ending,
  type OrcaBehaviour,
  OrcaService,
  orcaFrame,
  reporting,
  sending,
} from '../fakes/orca_service.ts';
import { pem } from '../fakes/tls.ts';
import { until } from '../fakes/until.ts';
import { type BalancedAnswer, type BalancedProxy, startBalancer } from './balanced_upstreams.ts';
import { ENVOY_BIN, PILOTFISH } from './envoy_process.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const X = 'type.googleapis.com/envoy.extensions';
const REQUESTS = 60;
const REPORTS = 'lb_orca_oob.reports_received';
/** In place of the one that tests usually have. */
const TWO_WORKERS = [
  'sh',
  '-c',
  'exec "$0" $(echo "$@" | sed "s/--concurrency 1/--concurrency 2/")',
  ...PILOTFISH,
];

type Json = Readonly<Record<string, unknown>>;

const LOAD = { rps_fractional: 100, cpu_utilization: 0.1 };
const BUSY = { rps_fractional: 100, cpu_utilization: 0.5 };
const compressed = orcaFrame(LOAD);
compressed[0] = 1;
const tooLong = Buffer.from([0, 0, 1, 0, 1]);

/** Hosts by name. */
const HOSTS: Readonly<Record<string, OrcaBehaviour>> = {
  idle: reporting(LOAD),
  busy: reporting(BUSY),
  unimplemented: ending(12),
  not_found: (stream) => stream.respond({ ':status': 404 }, { endStream: true }),
  not_grpc: (stream) => stream.respond({ ':status': 200, 'content-type': 'text/plain' }),
  unavailable: (stream, index) => (index < 2 ? ending(14) : reporting(LOAD))(stream, index),
  ended: (stream) => {
    sending(orcaFrame(LOAD))(stream, 0);
    stream.end();
  },
  silent: sending(),
  without_load: reporting({ cpu_utilization: 0.5, rps_fractional: 0 }),
  compressed: sending(compressed),
  too_long: sending(tooLong),
  nonsense: sending(Buffer.from([0, 0, 0, 0, 2, 0xff, 0xff])),
  empty: sending(Buffer.alloc(5)),
  in_parts: sending(...Array.from(orcaFrame(LOAD), (byte) => Uint8Array.of(byte))),
  asked: reporting(LOAD),
  staying: reporting(LOAD),
  leaving: reporting(LOAD),
};

const policy = (more: Json = {}): Json => ({
  policies: [
    {
      typed_extension_config: {
        name: 'p',
        typed_config: {
          '@type': `${X}.load_balancing_policies.client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin`,
          enable_oob_load_report: true,
          oob_reporting_period: '0.5s',
          blackout_period: '0.1s',
          weight_update_period: '0.1s',
          ...more,
        },
      },
    },
  ],
});

const endpoint = (port: number, more: Json = {}): Json => ({
  endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } }, ...more },
});
const cluster = (endpoints: readonly Json[], more: Json = {}, settings: Json = {}): Json => ({
  load_assignment: { cluster_name: 'c', endpoints: [{ lb_endpoints: endpoints }] },
  load_balancing_policy: policy(settings),
  ...more,
});
/** For hosts that must never seem silent, not on a slow machine either: three periods without a report are a failure. */
const PATIENT: Json = { oob_reporting_period: '10s' };
const HTTP2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${X}.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};
const tls = (sni: string): Json => ({
  name: 'tls',
  typed_config: {
    '@type': `${X}.transport_sockets.tls.v3.UpstreamTlsContext`,
    sni,
    common_tls_context: { validation_context: { trusted_ca: { inline_string: pem('ca.pem') } } },
  },
});

/** A proxy and hosts of its own. */
class Side {
  readonly hosts: Readonly<Record<string, OrcaService>>;
  readonly proxy: BalancedProxy;
  readonly file: string;

  constructor(hosts: Readonly<Record<string, OrcaService>>, proxy: BalancedProxy, file: string) {
    this.hosts = hosts;
    this.proxy = proxy;
    this.file = file;
  }

  static async start(file: string, command: readonly string[] | undefined): Promise<Side> {
    const hosts: Record<string, OrcaService> = {};
    for (const [name, behaviour] of Object.entries(HOSTS))
      hosts[name] = await OrcaService.start(name, behaviour);
    const secure = { cert: pem('server.pem'), key: pem('server.key') };
    hosts.secure = await OrcaService.start('secure', reporting(LOAD), secure);
    writeHosts(file, [hosts.staying.port, hosts.leaving.port]);
    const of = (name: string, more: Json = {}, settings: Json = {}): Json =>
      cluster([endpoint(hosts[name].port)], more, settings);
    const alone = Object.keys(HOSTS).filter((name) => !/idle|busy|asked|staying|leaving/.test(name));
    const proxy = await startBalancer(
      {
        clusters: {
          ...Object.fromEntries(alone.map((name) => [name, of(name)])),
          unavailable: of('unavailable', {}, PATIENT),
          without_load: of('without_load', {}, PATIENT),
          weighted: cluster([endpoint(hosts.idle.port), endpoint(hosts.busy.port)], HTTP2, PATIENT),
          named: cluster([endpoint(hosts.asked.port, { hostname: 'its.name' })]),
          elsewhere: of('silent', {}, { oob_reporting_config: { port_value: hosts.asked.port } }),
          authority: cluster(
            [endpoint(hosts.asked.port, { hostname: 'its.name' })],
            {},
            { oob_reporting_period: '1.25s', oob_reporting_config: { authority: 'another.name' } },
          ),
          secure: of('secure', { transport_socket: tls('server.example.com') }),
          chosen: of(
            'secure',
            {
              transport_socket_matches: [
                { name: 'a', match: { how: 'secure' }, transport_socket: tls('chosen.example.com') },
              ],
            },
            { oob_reporting_config: { transport_socket_match_criteria: { how: 'secure' } } },
          ),
          nobody: cluster([endpoint(1)]),
          in_band: of('asked', {}, { enable_oob_load_report: false }),
          changing: {
            type: 'EDS',
            eds_cluster_config: {
              service_name: 'eds',
              eds_config: { resource_api_version: 'V3', path_config_source: { path: file } },
            },
            load_balancing_policy: policy(PATIENT),
          },
        },
      },
      command,
    );
    return new Side(hosts, proxy, file);
  }

  async stat(of: string, name: string): Promise<number | undefined> {
    return (await this.proxy.stats(of, /^lb_orca_oob\./))[`lb_orca_oob.${name}`];
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
    for (const host of Object.values(this.hosts)) await host.close();
  }
}

function writeHosts(file: string, ports: readonly number[]): void {
  const resource = {
    '@type': 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
    cluster_name: 'eds',
    endpoints: [{ lb_endpoints: ports.map((port) => endpoint(port)) }],
  };
  writeFileSync(`${file}.new`, JSON.stringify({ resources: [resource] }));
  renameSync(`${file}.new`, file);
}

/** Do requests go to the two hosts as they report? */
async function isWeighted(get: () => Promise<BalancedAnswer>): Promise<boolean> {
  const counts: Record<string, number> = { idle: 0, busy: 0 };
  for (let i = 0; i < REQUESTS; i++) counts[(await get()).host]++;
  return Math.abs(counts.idle - (REQUESTS * 5) / 6) <= 1 && counts.idle + counts.busy === REQUESTS;
}

describe('load reports out of band as with Envoy', { skip: SKIP, concurrency: 1 }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'orca-'));
  const sides: Side[] = [];

  before(async () => {
    for (const command of [undefined, PILOTFISH])
      sides.push(await Side.start(path.join(directory, `${sides.length}.json`), command));
  });
  after(async () => {
    for (const side of sides) await side.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('out-of-band reports: hosts get requests by the load that they report', async () => {
    for (const { proxy } of sides) {
      await until(() => isWeighted(() => proxy.get('weighted', '/')));
    }
  });

  test('out-of-band reports: what a host is asked', async () => {
    const asked: Json[][] = [];
    for (const { hosts, proxy } of sides) {
      const { asked: host, idle } = hosts;
      const authorities = new Set([`127.0.0.1:${host.port}`, 'its.name', 'another.name']);
      const arrived = (): Set<unknown> => new Set(host.calls.map(({ headers }) => headers[':authority']));
      await until(() => authorities.isSubsetOf(arrived()) && idle.calls.length > 0);
      assert.deepEqual(arrived(), authorities);
      const heads = host.calls.concat(idle.calls).map(({ headers, body }) => ({
        ...headers,
        ':authority': String(headers[':authority']).replace(/:\d+$/, ''),
        body: body.toString('hex'),
      }));
      const texts = new Set(heads.map((head) => JSON.stringify(Object.entries(head).sort())));
      asked.push([...texts].sort().map((each) => JSON.parse(each) as Json));
      assert.deepEqual(await proxy.stats('in_band', /^lb_orca_oob\./), {});
    }
    assert.equal(asked[0].length, 4);
    assert.deepEqual(asked[1], asked[0]);
  });

  test('out-of-band reports: over the transport socket of the cluster, with ALPN h2', async () => {
    for (const side of sides) {
      for (const name of ['secure', 'chosen'])
        await until(async () => (await side.stat(name, 'reports_received'))! > 0);
      for (const { headers, alpn } of side.hosts.secure.calls)
        assert.deepEqual([headers[':scheme'], alpn], ['https', 'h2']);
    }
  });

  test('out-of-band reports: a host without the service is not asked again', async () => {
    for (const side of sides) {
      for (const name of ['unimplemented', 'not_found']) {
        await until(async () => (await side.stat(name, 'stream_terminated')) === 1);
        assert.equal(await side.stat(name, 'active_sessions'), 0);
      }
      // By then it would have been asked again.
      await until(() => side.hosts.not_grpc.calls.length > 3);
      for (const name of ['unimplemented', 'not_found']) {
        assert.equal(side.hosts[name].calls.length, 1);
        assert.equal(await side.stat(name, 'stream_failures'), 0);
      }
    }
  });

  test('out-of-band reports: what fails is tried again', async () => {
    for (const side of sides) {
      await until(async () => (await side.stat('unavailable', 'reports_received'))! > 3);
      assert.ok((await side.stat('unavailable', 'stream_failures'))! >= 2);
      const failing = [
        'not_grpc',
        'ended',
        'silent',
        'compressed',
        'too_long',
        'nonsense',
        'empty',
        'nobody',
      ];
      for (const name of failing) {
        await until(async () => (await side.stat(name, 'stream_failures'))! > 1);
        assert.equal(await side.stat(name, 'stream_terminated'), 0, name);
        assert.equal(await side.stat(name, 'active_sessions'), 1, name);
        if (name !== 'nobody') await until(() => side.hosts[name].calls.length > 1);
        if (name !== 'ended') assert.equal(await side.stat(name, 'reports_received'), 0, name);
      }
      await until(async () => (await side.stat('ended', 'reports_received'))! > 1);
    }
  });

  test('out-of-band reports: in parts, and without a load', async () => {
    for (const side of sides) {
      await until(async () => (await side.stat('in_parts', 'reports_received'))! > 0);
      assert.equal(await side.stat('in_parts', 'report_errors'), 0);
      // They end no stream: there are several of one call.
      const { calls } = side.hosts.without_load;
      await until(async () => (await side.stat('without_load', 'report_errors'))! > calls.length + 2);
    }
  });

  test('out-of-band reports: a host that goes is asked no more', async () => {
    for (const side of sides) {
      const { staying, leaving } = side.hosts;
      await until(() => staying.open === 1 && leaving.open === 1);
      assert.equal(await side.stat('changing', 'active_sessions'), 2);
      writeHosts(side.file, [staying.port]);
      await until(() => leaving.sessions.size === 0);
      await until(async () => (await side.stat('changing', 'active_sessions')) === 1);
      await until(() => staying.open === 1);
      const calls = leaving.calls.length;
      writeHosts(side.file, [staying.port, leaving.port]);
      await until(() => leaving.open === 1);
      assert.ok(leaving.calls.length > calls);
    }
  });

  test('out-of-band reports: after a GOAWAY the next report is the last of the stream', async () => {
    for (const side of sides) {
      const { idle } = side.hosts;
      await until(() => idle.open === 1);
      const calls = idle.calls.length;
      idle.goAway();
      await until(() => idle.calls.length > calls);
      assert.ok((await side.stat('weighted', 'stream_failures'))! > 0);
    }
  });

  test('out-of-band reports: every worker goes by them', async () => {
    const { idle, busy } = sides[1].hosts;
    const clusters = {
      weighted: cluster([endpoint(idle.port), endpoint(busy.port)], HTTP2, { oob_reporting_period: '1s' }),
    };
    const proxy = await startBalancer({ clusters }, TWO_WORKERS);
    try {
      await until(async () => (await proxy.stats('weighted', /reports_received/))[REPORTS]! > 1);
      // Each connection is one worker's: that all of them are the same one's is next to impossible.
      for (let i = 0; i < 16; i++) {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        await until(async () => isWeighted(() => proxy.get('weighted', '/', {}, agent)));
        agent.destroy();
      }
      const accepted = await proxy.allStats(/^listener\..*worker_\d\.downstream_cx_total$/);
      assert.deepEqual(
        Object.values(accepted).map((count) => count > 0),
        [true, true],
      );
    } finally {
      await proxy.stop();
    }
  });
});
