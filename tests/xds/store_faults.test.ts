// A vanilla sidecar's configuration under bad resources, cut streams and secret rotation: what serves goes on serving.

import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import type { Control } from '../../server/main/control.ts';
import type { ResourceUpdate } from '../../server/messages.ts';
import type { DiscoveryRequest } from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import type { Any } from '../../xds-protos/generated/google/protobuf.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { decode, encodeAny, type TypeMap } from '../../xds-protos/load.ts';
import { FakeXdsServer } from './fake_server.ts';
import { recordedStreams } from './recorded_stream.ts';
import { closeAll, closeLater, inactive, sdsServer, settled, start, until } from './store_harness.ts';

afterEach(closeAll);

const RECORDED = recordedStreams().find(({ name }) => name === 'vanilla-reviews-v1-sotw')!;
const TYPE_URLS: Readonly<Record<string, string>> = {
  CDS: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  EDS: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  LDS: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  RDS: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
};

/** The first response of each type, by its short name. */
function initial(type: string): readonly Any[] {
  const message = RECORDED.messages.find((one) => one.dir === 'recv' && one.type === type)!;
  return decode('envoy.service.discovery.v3.DiscoveryResponse', message.bytes).resources;
}

class Sidecar {
  readonly server: FakeXdsServer;
  readonly sds: FakeXdsServer;
  readonly control: Control;
  readonly updates: ResourceUpdate[];
  #nonce = 0;

  constructor(server: FakeXdsServer, sds: FakeXdsServer, control: Control, updates: ResourceUpdate[]) {
    this.server = server;
    this.sds = sds;
    this.control = control;
    this.updates = updates;
  }

  /** Up, with everything active. */
  static async start(): Promise<Sidecar> {
    const server = await FakeXdsServer.sotw();
    closeLater(() => server.close());
    const sds = await sdsServer();
    const updates: ResourceUpdate[] = [];
    const sidecar = new Sidecar(server, sds, start('sotw', server.address, sds.address, updates), updates);
    for (const type of ['CDS', 'EDS', 'LDS', 'RDS']) {
      assert.equal(await sidecar.send(type, initial(type)), undefined);
    }
    await settled(sidecar.control);
    sidecar.taken();
    return sidecar;
  }

  /** Sends state of the world; the error of the NACK, or undefined for an ACK. */
  async send(type: string, resources: readonly Any[]): Promise<string | undefined> {
    const type_url = TYPE_URLS[type] as string;
    const nonce = String(++this.#nonce);
    const asks = (request: DiscoveryRequest): boolean => request.type_url === type_url;
    const asked = await until(
      () =>
        this.server.requests.findLast(
          ({ request, stream }) => asks(request) && stream === this.server.streams.at(-1),
        ),
      `a request for ${type}`,
    );
    asked.stream.sendSotw({ version_info: nonce, nonce, type_url, resources });
    const answer = await until(
      () => this.server.requests.find(({ request }) => asks(request) && request.response_nonce === nonce),
      `an answer to ${type}`,
    );
    return answer.request.error_detail?.message;
  }

  /** What the workers were told since the last call. */
  taken(): string[] {
    this.control.store.flush();
    // Names from other sources than ADS end in a digest of the source.
    return this.updates.splice(0).map(({ kind, name }) => `${kind} ${name.replace(/@.*/, '')}`);
  }
}

function resource<K extends keyof TypeMap & string>(type: K, json: object): Any {
  return encodeAny(type, fromJson(type, json) as Parameters<typeof encodeAny<K>>[1]);
}

const address = (ip: string, port: number): object => ({ socket_address: { address: ip, port_value: port } });

describe('a bad resource beside the good ones', () => {
  const cases: [type: string, bad: Any, name: string, field: RegExp][] = [
    [
      'CDS',
      resource('envoy.config.cluster.v3.Cluster', {
        name: 'broken',
        load_assignment: {
          cluster_name: 'broken',
          endpoints: [{ lb_endpoints: [{ endpoint: { address: address('not.an.ip', 80) } }] }],
        },
      }),
      'broken',
      /load_assignment.endpoints\[0\].*malformed IP address: not.an.ip/,
    ],
    [
      'LDS',
      resource('envoy.config.listener.v3.Listener', {
        name: 'broken',
        address: address('0.0.0.0', 9999),
        filter_chains: [{ filters: [{ name: 'nope' }] }],
      }),
      'broken',
      /filter_chains\[0\].filters\[0\].*Didn't find a registered implementation for 'nope'/,
    ],
    [
      'RDS',
      resource('envoy.config.route.v3.RouteConfiguration', {
        name: '9080',
        virtual_hosts: [
          {
            name: 'v',
            domains: ['*'],
            routes: [{ match: { safe_regex: { regex: '(' } }, route: { cluster: 'x' } }],
          },
        ],
      }),
      '9080',
      /virtual_hosts\[0\].routes\[0\]/,
    ],
  ];
  for (const [type, bad, name, field] of cases) {
    test(`${type}: the NACK names it and its field, the rest serves, and taking it back is ACKed`, async () => {
      const sidecar = await Sidecar.start();
      const good = initial(type);
      const others = type === 'RDS' ? good.filter((any) => nameOf(any) !== name) : good;
      const nack = await sidecar.send(type, [bad, ...others]);
      assert.match(nack ?? '', new RegExp(`\\b${name}\\b`));
      assert.match(nack ?? '', field);
      assert.deepEqual(sidecar.taken(), []);
      assert.equal(await sidecar.send(type, good), undefined);
      assert.deepEqual(sidecar.taken(), []);
      assert.deepEqual(inactive(sidecar.control), []);
    });
  }
});

function nameOf(any: Any): string {
  return decode('envoy.config.route.v3.RouteConfiguration', any.value).name;
}

describe('a control plane that goes', () => {
  const ways: [string, (server: FakeXdsServer) => void | Promise<void>][] = [
    ['a cut stream', (server) => server.streams.at(-1)!.end()],
    ['a GOAWAY', (server) => server.goAway(50)],
    [
      'a crash',
      (server) => {
        server.crash();
        return server.restart();
      },
    ],
  ];
  for (const [name, go] of ways) {
    test(`${name} changes nothing, and the same resources again change nothing`, async () => {
      const sidecar = await Sidecar.start();
      const streams = sidecar.server.streams.length;
      await go(sidecar.server);
      await until(() => sidecar.server.streams.length > streams, 'the client comes back');
      for (const type of ['CDS', 'EDS', 'LDS', 'RDS']) {
        assert.equal(await sidecar.send(type, initial(type)), undefined);
      }
      assert.deepEqual(sidecar.taken(), []);
      assert.deepEqual(inactive(sidecar.control), []);
    });
  }
});

test('a rotated secret reaches the workers as that secret alone', async () => {
  const sidecar = await Sidecar.start();
  const { request, stream } = sidecar.sds.requests.find((one) =>
    one.request.resource_names.includes('ROOTCA'),
  )!;
  const [other] = await rootCa('cert.pem');
  stream.sendSotw({ version_info: '2', nonce: '2', type_url: request.type_url, resources: [other!] });
  await until(() => sidecar.updates.length > 0, 'the new secret');
  assert.deepEqual(sidecar.taken(), ['secret ROOTCA']);
  const [garbage] = await rootCa(undefined);
  stream.sendSotw({ version_info: '3', nonce: '3', type_url: request.type_url, resources: [garbage!] });
  const nack = await until(
    () => sidecar.sds.requests.find((one) => one.request.response_nonce === '3'),
    'an answer to the bad secret',
  );
  assert.match(nack.request.error_detail?.message ?? '', /Failed to load trusted CA certificates/);
  assert.deepEqual(sidecar.taken(), []);
});

async function rootCa(file: string | undefined): Promise<Any[]> {
  const { readFile } = await import('node:fs/promises');
  const url = new URL(`../fixtures/secrets/${file}`, import.meta.url);
  const inline_string = file === undefined ? 'garbage' : await readFile(url, 'utf8');
  const type = 'envoy.extensions.transport_sockets.tls.v3.Secret';
  return [resource(type, { name: 'ROOTCA', validation_context: { trusted_ca: { inline_string } } })];
}
