// Virtual hosts by VHDS, sent unasked and on demand, in Envoy and Pilotfish, of one control plane each that says the same: what requests
// get, what the control plane is asked for, the stats, and the dump of routes.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeltaDiscoveryRequest } from '../../xds-protos/generated/envoy/service/discovery/v3.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { encodeAny } from '../../xds-protos/load.ts';
import { ControlPlane } from '../integration/control_plane.ts';
import type { FakeStream } from '../xds/fake_server.ts';
import { ENVOY_BIN, EnvoyProcess, PILOTFISH } from './envoy_process.ts';
import { HTTP2 } from './proxy_scenario.ts';
import { statsOf } from './stats_listing.ts';

const SKIP = ENVOY_BIN === undefined && 'no envoy: set ENVOY_BIN to compare with a real one';
const FILTERS = 'type.googleapis.com/envoy.extensions.filters.';
const VIRTUAL_HOST = 'envoy.config.route.v3.VirtualHost';
const ROUTES = 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration';
const URL = `type.googleapis.com/${VIRTUAL_HOST}`;
const ADS = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
/** After which a request is taken to wait for ever. */
const LONG_MS = 700;
const PATIENCE_MS = 20_000;

interface Resource {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** Without it: there is no such virtual host. */
  readonly host?: object;
}

const host = (name: string, domains: readonly string[], text = name): object => ({
  name,
  domains,
  routes: [{ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: text } } }],
});
const routes = (text: string, more: object = { vhds: { config_source: ADS } }): object => ({
  name: 'r',
  virtual_hosts: [host('own', ['own.com'], text)],
  ...more,
});

const FIRST: Resource = { name: 'r/first', host: host('r/first', ['first.com', '*.first.com']) };
const INLINE_FIRST: Resource = { name: 'i/first', host: host('i/first', ['first.com'], 'inline first') };

/** Says which virtual hosts there are, and keeps what it was asked for. */
class VirtualHostServer {
  readonly asked: string[] = [];
  /** What is answered to a name. Names that are not here are not answered. */
  readonly answers = new Map<string, readonly Resource[]>();
  readonly refusals: string[] = [];
  #stream: FakeStream<DeltaDiscoveryRequest> | undefined;
  #sent = 0;
  #told = false;

  constructor(plane: ControlPlane) {
    const others = plane.server.onRequest;
    plane.server.onRequest = (request, stream) => {
      if (request.type_url === URL) this.#onRequest(request, stream);
      else others(request, stream);
      // The route configuration is there: now it can be told of its virtual hosts.
      if (request.type_url === ROUTES && request.response_nonce !== '' && !this.#told) {
        this.#told = true;
        this.send([FIRST]);
      }
    };
  }

  #onRequest(request: DeltaDiscoveryRequest, stream: FakeStream<DeltaDiscoveryRequest>): void {
    const { resource_names_subscribe: names, error_detail: error } = request;
    const first = this.#stream === undefined;
    this.#stream = stream;
    if (error !== undefined) this.refusals.push(error.message);
    if (first) this.send([INLINE_FIRST]);
    for (const name of names) {
      this.asked.push(name);
      const answer = this.answers.get(name);
      if (answer !== undefined) this.send(answer);
    }
  }

  send(resources: readonly Resource[], removed: readonly string[] = []): void {
    const version = String(++this.#sent);
    this.#stream!.sendDelta({
      type_url: URL,
      nonce: `vhds ${version}`,
      system_version_info: version,
      resources: resources.map(({ name, aliases = [], host }) => ({
        name,
        version,
        aliases,
        ...(host !== undefined && {
          resource: encodeAny(VIRTUAL_HOST, fromJson(VIRTUAL_HOST, host as never)),
        }),
      })),
      removed_resources: removed,
    });
  }
}

const SET_METADATA = {
  '@type': `${FILTERS}http.set_metadata.v3.Config`,
  metadata: [{ metadata_namespace: 'n', value: { a: { b: 'set' } } }],
};

function listener(name: string, routes: object): object {
  const typed_config = {
    '@type': `${FILTERS}network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    ...routes,
    http_filters: [
      { name: 'set_metadata', typed_config: SET_METADATA },
      { name: 'on_demand', typed_config: { '@type': `${FILTERS}http.on_demand.v3.OnDemand` } },
      { name: 'router', typed_config: { '@type': `${FILTERS}http.router.v3.Router` } },
    ],
  };
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  return { name, address, filter_chains: [{ filters: [{ name: 'http', typed_config }] }] };
}

const INLINE = {
  name: 'i',
  virtual_hosts: [host('inline', ['inline.com'])],
  vhds: { config_source: ADS },
};

class Side {
  readonly plane: ControlPlane;
  readonly server: VirtualHostServer;
  readonly process: EnvoyProcess;

  private constructor(plane: ControlPlane, server: VirtualHostServer, process: EnvoyProcess) {
    this.plane = plane;
    this.server = server;
    this.process = process;
  }

  static async start(command: readonly string[]): Promise<Side> {
    const plane = await ControlPlane.start();
    const server = new VirtualHostServer(plane);
    plane.hold('route', 'r', routes('own'));
    const bootstrap = plane.bootstrap() as {
      static_resources: { clusters: readonly object[] };
      dynamic_resources: { ads_config: object };
    };
    const { ads_config } = bootstrap.dynamic_resources;
    const clusters = bootstrap.static_resources.clusters.map((cluster) => ({ ...cluster, ...HTTP2 }));
    const listeners = [
      listener('rds', { rds: { route_config_name: 'r', config_source: ADS } }),
      listener('inline', { route_config: INLINE }),
    ];
    const static_resources = { clusters, listeners };
    try {
      const all = { ...bootstrap, static_resources, dynamic_resources: { ads_config } };
      return new Side(plane, server, await EnvoyProcess.start(all, command));
    } catch (error) {
      plane.close();
      throw error;
    }
  }

  /** What is answered; `waits` for what takes long. */
  async ask(authority: string, body?: string, name = 'rds', patienceMs = PATIENCE_MS): Promise<string> {
    const port = this.process.ports.get(name)!;
    const method = body === undefined ? 'GET' : 'POST';
    const headers = { host: authority };
    const answered = new Promise<string>((resolve, reject) => {
      const request = http.request({ port, host: '127.0.0.1', method, headers, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => (text += part));
        response.on('end', () => resolve(`${response.statusCode} ${text}`));
      });
      request.on('error', reject);
      request.end(body);
    });
    const waits = sleep(patienceMs, 'waits');
    answered.catch(() => undefined);
    return await Promise.race([answered, waits]);
  }

  /** Asks until the answer is the one that a change leads to. */
  async becomes(authority: string, expected: string): Promise<void> {
    for (let tries = 0; (await this.ask(authority)) !== expected; tries++) {
      assert.ok(tries < 200, `${authority}: ${await this.ask(authority)}, not ${expected}`);
      await sleep(20);
    }
  }

  /** A request whose body ends only when the answer has begun. */
  async askSlowly(authority: string): Promise<string> {
    const socket = net.connect(this.process.ports.get('rds')!, '127.0.0.1');
    const head = `POST / HTTP/1.1\r\nhost: ${authority}\r\ncontent-length: 6\r\n\r\nabc`;
    return await new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.once('data', (bytes) => {
        resolve(bytes.toString('latin1').split('\r\n')[0]!);
        socket.destroy();
      });
      socket.write(head);
    });
  }

  async stats(): Promise<readonly string[]> {
    return (
      [...(await statsOf(this.process))]
        .filter(([name]) => /^(http\.rds\.rds|vhds)\./.test(name))
        // Ours asks again for what was said not to be there.
        .filter(([name]) => !/update_attempt|update_success|_time(_ms)?$|duration|version/.test(name))
        // Envoy counts what it refuses for all who share the stream.
        .filter(([name]) => name !== 'vhds.i.update_rejected')
        .map(([name, value]) => `${name}: ${value}`)
        .sort()
    );
  }

  /** Names of the virtual hosts in a section of the dump, and whether it says `vhds`. */
  async dump(section: string): Promise<readonly string[]> {
    const target = `${this.process.admin}/config_dump?resource=${section}`;
    const { configs } = (await (await fetch(target)).json()) as {
      configs: readonly {
        version_info?: string;
        route_config: { virtual_hosts: readonly { name: string }[]; vhds?: object };
      }[];
    };
    return configs.flatMap(({ route_config: { virtual_hosts, vhds } }) => [
      ...virtual_hosts.map(({ name }) => name).sort(),
      JSON.stringify(vhds),
    ]);
  }

  async stop(): Promise<void> {
    await this.process.stop();
    this.plane.close();
  }
}

describe('virtual hosts by VHDS', { skip: SKIP }, () => {
  const sides: Side[] = [];
  async function compare<T>(ask: (side: Side) => Promise<T>): Promise<T> {
    const [theirs, ours] = await Promise.all(sides.map(ask));
    assert.deepEqual(ours, theirs);
    return ours;
  }
  const answer = (name: string, ...resources: readonly Resource[]): void => {
    for (const { server } of sides) server.answers.set(name, resources);
  };
  const send = (resources: readonly Resource[], removed: readonly string[] = []): void => {
    for (const { server } of sides) server.send(resources, removed);
  };
  const asked = (name: string): readonly number[] =>
    sides.map(({ server }) => server.asked.filter((one) => one === name).length);

  before(async () => {
    for (const command of [[ENVOY_BIN!], PILOTFISH]) sides.push(await Side.start(command));
  });
  after(async () => {
    await Promise.all(sides.map((side) => side.stop()));
  });

  test('what the route configuration has itself, and what came unasked', async () => {
    assert.equal(await compare((side) => side.ask('own.com')), '200 own');
    assert.equal(await compare((side) => side.ask('first.com')), '200 r/first');
    assert.equal(await compare((side) => side.ask('a.first.com')), '200 r/first');
    assert.equal(await compare((side) => side.ask('inline.com', undefined, 'inline')), '200 inline');
    assert.equal(await compare((side) => side.ask('first.com', undefined, 'inline')), '200 inline first');
    assert.deepEqual(
      sides.map(({ server }) => server.asked),
      [[], []],
    );
  });

  test('a virtual host that is asked for, and is there from then on', async () => {
    answer('r/b.com', { name: 'r/b', aliases: ['r/b.com'], host: host('r/b', ['b.com']) });
    assert.equal(await compare((side) => side.ask('b.com')), '200 r/b');
    assert.equal(await compare((side) => side.ask('b.com')), '200 r/b');
    assert.deepEqual(asked('r/b.com'), [1, 1]);
  });

  test('hosts are asked for with their ports, in lower case', async () => {
    const name = 'r/upper.com:8080';
    answer(name, { name: 'r/upper', aliases: [name], host: host('r/upper', ['upper.com:8080']) });
    assert.equal(await compare((side) => side.ask('UPPER.com:8080')), '200 r/upper');
  });

  test('the resource may be named by what was asked for', async () => {
    answer('r/named.com', { name: 'r/named.com', host: host('r/named.com', ['named.com']) });
    assert.equal(await compare((side) => side.ask('named.com')), '200 r/named.com');
  });

  test('requests with bodies wait, too', async () => {
    answer('r/body.com', { name: 'r/body', aliases: ['r/body.com'], host: host('r/body', ['body.com']) });
    answer('r/slow.com', { name: 'r/slow', aliases: ['r/slow.com'], host: host('r/slow', ['slow.com']) });
    assert.equal(await compare((side) => side.ask('body.com', 'hello')), '200 r/body');
    assert.equal(await compare((side) => side.askSlowly('slow.com')), 'HTTP/1.1 200 OK');
  });

  test('a resource without a body: there is no such virtual host', async () => {
    answer('r/none.com', { name: 'r/none.com', aliases: ['r/none.com'] });
    assert.equal(await compare((side) => side.ask('none.com')), '404 ');
    assert.equal(await compare((side) => side.ask('none.com')), '404 ');
    assert.deepEqual(asked('r/none.com'), [1, 1]);
    send([{ name: 'r/none', aliases: ['r/none.com'], host: host('r/none', ['none.com']) }]);
    await Promise.all(sides.map((side) => side.becomes('none.com', '200 r/none')));
  });

  test('an answer about another domain', async () => {
    answer('r/c.com', { name: 'r/c', aliases: ['r/c.com'], host: host('r/c', ['other.com']) });
    assert.equal(await compare((side) => side.ask('c.com')), '404 ');
    assert.equal(await compare((side) => side.ask('other.com')), '200 r/c');
  });

  test('no answer: requests wait', async () => {
    assert.equal(await compare((side) => side.ask('silent.com', undefined, 'rds', LONG_MS)), 'waits');
    assert.deepEqual(asked('r/silent.com'), [1, 1]);
    const waiting = sides.map((side) => side.ask('silent.com'));
    send([{ name: 'r/silent', aliases: ['r/silent.com'], host: host('r/silent', ['silent.com']) }]);
    assert.deepEqual(await Promise.all(waiting), ['200 r/silent', '200 r/silent']);
    assert.deepEqual(asked('r/silent.com'), [1, 1]);
  });

  test('a virtual host without a route for the request', async () => {
    const only = {
      ...host('r/only', ['only.com']),
      routes: [{ match: { path: '/x' }, direct_response: { status: 200 } }],
    };
    answer('r/only.com', { name: 'r/only', aliases: ['r/only.com'], host: only });
    assert.equal(await compare((side) => side.ask('only.com')), '404 ');
    assert.equal(await compare((side) => side.ask('only.com')), '404 ');
  });

  test('routes by dynamic metadata that is there', async () => {
    const by = (exact: string): object => {
      const path = [{ key: 'a' }, { key: 'b' }];
      const value = { string_match: { exact } };
      return { prefix: '/', dynamic_metadata: [{ filter: 'n', path, value }] };
    };
    const answers = ['other', 'set'].map((text) => ({
      match: by(text),
      direct_response: { status: 200, body: { inline_string: `metadata ${text}` } },
    }));
    const metadata = { name: 'r/metadata', domains: ['metadata.com'], routes: answers };
    answer('r/metadata.com', { name: 'r/metadata', aliases: ['r/metadata.com'], host: metadata });
    assert.equal(await compare((side) => side.ask('metadata.com')), '200 metadata set');
  });

  test('an update, a removal', async () => {
    send([{ name: 'r/b', host: host('r/b', ['b.com'], 'changed') }]);
    await Promise.all(sides.map((side) => side.becomes('b.com', '200 changed')));
    send([], ['r/b']);
    await Promise.all(sides.map((side) => side.becomes('b.com', '404 ')));
    assert.deepEqual(asked('r/b.com'), [1, 1]);
  });

  test('what is not valid is refused, and leaves all as it was', async () => {
    send([{ name: 'r/bad', host: host('r/bad', ['first.com']) }]);
    for (const { server } of sides) while (server.refusals.length === 0) await sleep(10);
    for (const { server } of sides)
      assert.match(server.refusals[0]!, /Only unique values for domains are permitted/);
    assert.equal(await compare((side) => side.ask('first.com')), '200 r/first');
    assert.match(sides[1]!.server.refusals[0]!, /virtual host\(s\) r\/bad: domains\[0\]/);
  });

  test('virtual hosts of routes that are written into a connection manager', async () => {
    answer('i/b.com', { name: 'i/b', aliases: ['i/b.com'], host: host('i/b', ['b.com']) });
    assert.equal(await compare((side) => side.ask('b.com', undefined, 'inline')), '200 i/b');
  });

  test('stats and the dump of routes', async () => {
    await compare((side) => side.stats());
    const dynamic = await compare((side) => side.dump('dynamic_route_configs'));
    assert.ok(dynamic.includes('r/first') && dynamic.includes('own'), String(dynamic));
    await compare((side) => side.dump('static_route_configs'));
  });

  test('the route configuration changes, loses its vhds, and has it again', async () => {
    const change = async (next: object): Promise<void> => {
      const words = await Promise.all(sides.map(({ plane }) => plane.set('route', { r: next })));
      assert.deepEqual(words, [undefined, undefined]);
    };
    await change(routes('changed'));
    await Promise.all(sides.map((side) => side.becomes('own.com', '200 changed')));
    assert.equal(await compare((side) => side.ask('first.com')), '200 r/first');
    await change(routes('without', {}));
    await Promise.all(sides.map((side) => side.becomes('own.com', '200 without')));
    assert.equal(await compare((side) => side.ask('first.com')), '404 ');
    await change(routes('again'));
    await Promise.all(sides.map((side) => side.becomes('own.com', '200 again')));
    assert.equal(await compare((side) => side.ask('first.com')), '200 r/first');
  });

  test('sources that are refused', async () => {
    for (const config_source of [
      { path_config_source: { path: '/nowhere.yaml' } },
      { api_config_source: { api_type: 'GRPC', grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }] } },
    ]) {
      const next = routes('refused', { vhds: { config_source } });
      const words = await Promise.all(sides.map(({ plane }) => plane.set('route', { r: next })));
      for (const word of words) assert.match(word ?? '', /vhds: only 'DELTA_GRPC' or 'ADS'/);
    }
    assert.equal(await compare((side) => side.ask('own.com')), '200 again');
  });

  test('here, what is said to be removed or is refused is not waited for', async () => {
    const [, ours] = sides;
    ours!.server.answers.set('r/gone.com', []);
    const waiting = ours!.ask('gone.com');
    while (!ours!.server.asked.includes('r/gone.com')) await sleep(10);
    ours!.server.send([], ['r/gone.com']);
    assert.equal(await waiting, '404 ');
    answer('r/gone.com', { name: 'r/gone', aliases: ['r/gone.com'], host: host('r/gone', ['first.com']) });
    assert.equal(await ours!.ask('gone.com'), '404 ');
  });
});
