// The health discovery service (HDS) beside Envoy: a control plane gives both the same hosts to check, and must be told the same.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { toJson } from '../../xds-protos/json.ts';
import { HealthService } from '../fakes/health_service.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { type Manners, Patient, pem } from './patient.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const ANSWER = 'envoy.service.health.v3.HealthCheckRequestOrEndpointHealthResponse';
const TLS = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';

type Json = Readonly<Record<string, unknown>>;

const TIMES = {
  timeout: '0.5s',
  interval: '0.1s',
  no_traffic_interval: '0.1s',
  unhealthy_threshold: 2,
  healthy_threshold: 1,
};
const HTTP = { ...TIMES, http_health_check: { path: '/health' } };
const TCP = { ...TIMES, tcp_health_check: {} };

interface Side {
  readonly process: EnvoyProcess;
  readonly service: HealthService;
  readonly patients: readonly Patient[];
}

const PATIENTS = ['http', 'http', 'http', 'https'] as const;

describe('health discovery service (HDS)', { skip: SKIP, concurrency: 1 }, () => {
  const sides: Side[] = [];
  const open: { close(): unknown }[] = [];

  before(async () => {
    for (const command of [undefined, PILOTFISH]) {
      const service = new HealthService();
      await service.start();
      open.push({ close: () => service.stop() });
      const patients = PATIENTS.map((kind) => new Patient(kind));
      for (const patient of patients) await patient.listen();
      open.push(...patients);
      const address = { socket_address: { address: '127.0.0.1', port_value: service.port } };
      const process = await EnvoyProcess.start(
        {
          node: { id: 'n', cluster: 'c' },
          hds_config: {
            api_type: 'GRPC',
            transport_api_version: 'V3',
            grpc_services: [{ envoy_grpc: { cluster_name: 'hds' } }],
          },
          static_resources: {
            clusters: [
              {
                name: 'hds',
                http2_protocol_options: {},
                load_assignment: {
                  cluster_name: 'hds',
                  endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
                },
              },
            ],
          },
        },
        command,
      );
      sides.push({ process, service, patients });
    }
    for (let i = 0; i < 100 && sides.some(({ service }) => service.received.length === 0); i++)
      await sleep(50);
  });

  after(async () => {
    for (const { process } of sides) await process.stop();
    for (const each of open) await each.close();
  });

  const endpoint = ({ patients }: Side, i: number): Json => ({
    address: { socket_address: { address: '127.0.0.1', port_value: patients[i]?.port ?? 1 } },
  });

  /** What each control plane is told last, some time after it has asked. */
  async function same(ask: ((side: Side) => Json) | undefined, waitMs = 1500): Promise<Json> {
    for (const side of sides) if (ask !== undefined) side.service.ask(ask(side));
    await sleep(waitMs);
    const told = sides.map(({ service, patients }) => {
      let text = JSON.stringify(toJson(ANSWER, service.received.at(-1)!));
      for (const [i, { port }] of patients.entries()) text = text.replaceAll(`:${port}}`, `:"patient ${i}"}`);
      return JSON.parse(text) as Json;
    });
    assert.deepEqual(told[1], told[0]);
    return told[0];
  }

  function behave(i: number, manners: Manners): void {
    for (const { patients } of sides) patients[i].manners = manners;
  }

  const locality = (zone: string, side: Side, ...hosts: readonly number[]): Json => ({
    locality: { region: 'r', zone },
    endpoints: hosts.map((i) => endpoint(side, i)),
  });
  const cluster = (name: string, check: Json, localities: readonly Json[], more: Json = {}): Json => ({
    cluster_name: name,
    health_checks: [check],
    locality_endpoints: localities,
    ...more,
  });

  test('the first message says what can be checked', () => {
    const [envoy, ours] = sides.map(({ service }) => service.received[0].health_check_request);
    assert.deepEqual(ours?.capability, envoy?.capability);
    assert.equal(ours?.node?.id, 'n');
  });

  test('hosts of two localities, one of which nobody is at', async () => {
    const told = await same((side) => ({
      cluster_health_checks: [cluster('one', HTTP, [locality('a', side, 0, 1), locality('b', side, 9)])],
    }));
    assert.match(JSON.stringify(told), /HEALTHY.*HEALTHY.*UNHEALTHY/);
  });

  test('hosts that fail, are silent, and do well again', async () => {
    behave(0, { status: 500 });
    behave(1, { silent: true });
    const told = await same(undefined, 3000);
    assert.match(JSON.stringify(told), /TIMEOUT/);
    behave(0, { status: 200 });
    behave(1, { status: 200, headers: { 'x-envoy-degraded': '' } });
    await same(undefined, 2000);
    behave(1, { status: 200 });
    await same(undefined, 1000);
  });

  test('more clusters, by TCP and TLS; those that are not named any more are not checked', async () => {
    const common_tls_context = { validation_context: { trusted_ca: { inline_string: pem('ca.pem') } } };
    const tls = { name: 'tls', typed_config: { '@type': TLS, common_tls_context } };
    const criteria = { ...HTTP, transport_socket_match_criteria: { tls: true } };
    await same((side) => ({
      cluster_health_checks: [
        cluster('one', HTTP, [locality('a', side, 0)]),
        cluster('two', TCP, [locality('a', side, 1, 9)]),
        cluster('three', criteria, [locality('c', side, 3)], {
          transport_socket_matches: [{ name: 'm', match: { tls: true }, transport_socket: tls }],
        }),
      ],
    }));
    await same((side) => ({ cluster_health_checks: [cluster('two', TCP, [locality('a', side, 2)])] }));
  });

  test('the stream comes back after it ended', async () => {
    const before = sides.map(({ service }) => service.streams);
    for (const { service } of sides) service.endStream();
    for (let i = 0; i < 100 && sides.some(({ service }, side) => service.streams === before[side]); i++)
      await sleep(50);
    await sleep(100);
    await same((side) => ({ cluster_health_checks: [cluster('two', TCP, [locality('a', side, 2)])] }));
    // The same once more.
    await same((side) => ({ cluster_health_checks: [cluster('two', TCP, [locality('a', side, 2)])] }));
  });

  test('stats', async () => {
    const stats = await Promise.all(
      sides.map(async ({ process }) => {
        const text = await (await fetch(`${process.admin}/stats?filter=^hds_delegate`)).text();
        const lines = text
          .trim()
          .split('\n')
          .map((line) => line.split(': '));
        // How many reports there were is a question of time.
        return lines.map(([name, value]) => (name.endsWith('responses') ? name : `${name} ${value}`));
      }),
    );
    assert.deepEqual(stats[1], stats[0]);
  });
});
