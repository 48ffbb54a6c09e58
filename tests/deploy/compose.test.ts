// docker-compose.yml: what it refers to is there, and its proxies do what it says when they run as it starts them. Docker itself
// looks at it too, where it is installed, and the specification's own reader.

import assert from 'node:assert/strict';
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { parseCommandLine } from '../../server/main/bootstrap/command_line.ts';
import { COMPOSE_READER, missing } from '../conformance/tools.ts';
import { Application } from '../integration/namespace_application.ts';
import { cannotIsolate, NetworkNamespace } from '../integration/network_namespace.ts';
import { eventually } from '../integration/proxy_process.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const FOLDER = path.join(ROOT, 'deploy/compose');
const PROXIES = ['gateway', 'web', 'api'];

interface Service {
  readonly image?: string;
  readonly build?: { readonly dockerfile: string; readonly target: string };
  readonly command?: readonly string[];
  readonly profiles?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: Readonly<Record<string, unknown>> | readonly string[];
  readonly network_mode?: string;
  readonly depends_on?: Readonly<Record<string, { readonly required?: boolean }>>;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: object;
  readonly volumes: object;
}

/** Of the compose specification, those that this file uses: a misspelt one is not among them. */
const SERVICE_KEYS = new Set([
  ...[
    'image',
    'build',
    'entrypoint',
    'command',
    'environment',
    'volumes',
    'tmpfs',
    'ports',
    'networks',
    'network_mode',
  ],
  ...['depends_on', 'profiles', 'restart', 'user', 'cap_add', 'privileged', 'healthcheck'],
]);

const compose = parse(readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8'), {
  merge: true,
}) as Compose;
const services = Object.entries(compose.services);
const NO_DOCKER = spawnSync('docker', ['compose', 'version']).status !== 0 && 'needs docker with compose';

describe('docker-compose.yml', () => {
  for (const profile of ['', 'istiod']) {
    test(`is valid to docker${profile && `, with the profile ${profile}`}`, { skip: NO_DOCKER }, () => {
      const { status, stderr } = spawnSync('docker', ['compose', 'config', '--quiet'], {
        cwd: ROOT,
        env: { ...process.env, COMPOSE_PROFILES: profile },
        encoding: 'utf8',
      });
      assert.equal(status, 0, stderr);
    });
  }

  test('is what the schema of compose files allows, in all profiles', {
    skip: missing(COMPOSE_READER),
  }, (t) => {
    const text = readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8');
    const folder = mkdtempSync(path.join(os.tmpdir(), 'pilotfish-compose-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const misspelt = path.join(folder, 'misspelt.yml');
    writeFileSync(misspelt, text.replace('command:', 'comand:'));
    const read = (file: string) => spawnSync(COMPOSE_READER, [file], { cwd: ROOT, encoding: 'utf8' });
    const whole = read('docker-compose.yml');
    assert.equal(whole.status, 0, whole.stderr);
    assert.match(whole.stdout, /k3s/);
    assert.match(read(misspelt).stderr, /comand/);
  });

  test('has the keys of a service, an image for each, and nothing that is not there', () => {
    const wrong: string[] = [];
    for (const [name, service] of services) {
      const say = (what: string): number => wrong.push(`${name}: ${what}`);
      for (const key of Object.keys(service))
        if (!SERVICE_KEYS.has(key)) say(`${key} is no key of a service`);
      if (service.image === undefined) say('no image');
      if (service.build !== undefined) {
        const dockerfile = readFileSync(path.join(ROOT, service.build.dockerfile), 'utf8');
        if (!dockerfile.includes(` AS ${service.build.target}\n`)) say(`no target ${service.build.target}`);
      }
      for (const volume of service.volumes ?? []) {
        const source = volume.split(':')[0]!;
        const there = source.startsWith('.')
          ? existsSync(path.join(ROOT, source))
          : source in compose.volumes;
        if (!there) say(`no volume ${source}`);
      }
      const { networks = [], network_mode: mode } = service;
      for (const network of Array.isArray(networks) ? networks : Object.keys(networks)) {
        if (!(network in compose.networks)) say(`no network ${network}`);
      }
      if (mode !== undefined && !(mode.replace('service:', '') in compose.services))
        say(`no service for ${mode}`);
      for (const [other, { required = true }] of Object.entries(service.depends_on ?? {})) {
        const profiles = compose.services[other]?.profiles;
        if (!(other in compose.services)) say(`depends on ${other}, which is not there`);
        if (required && profiles !== undefined && service.profiles === undefined) {
          say(`depends on ${other}, which its profile leaves out`);
        }
      }
    }
    assert.deepEqual(wrong, []);
  });

  for (const name of PROXIES) {
    test(`starts the proxy ${name} with flags that are understood`, (t) => {
      const bin = mkdtempSync(path.join(os.tmpdir(), 'compose-'));
      t.after(() => rmSync(bin, { recursive: true }));
      // In the places of the proxy, something that tells its arguments, and of the resolver, something that knows the answer.
      writeFileSync(path.join(bin, 'pilotfish'), '#!/bin/sh\nprintf "%s\\0" "$@"\n', { mode: 0o755 });
      const resolver = path.join(bin, 'getent');
      const script = readFileSync(path.join(FOLDER, 'proxy.sh'), 'utf8').replaceAll('/etc/pilotfish', FOLDER);
      const argumentsOf = (withKubernetes: boolean): string[] => {
        writeFileSync(resolver, `#!/bin/sh\nexit ${withKubernetes ? 0 : 2}\n`, { mode: 0o755 });
        const { stdout, stderr } = spawnSync('sh', ['-c', script, 'proxy.sh', name], {
          env: { PATH: `${bin}:${process.env['PATH']}`, ROLE: name === 'gateway' ? 'gateway' : 'sidecar' },
          encoding: 'utf8',
        });
        assert.equal(stderr, '');
        return stdout.split('\0').slice(0, -1);
      };
      const embedded = parseCommandLine(argumentsOf(false));
      assert.ok(embedded.type === 'run');
      assert.equal(embedded.options.resources, path.join(FOLDER, name));
      const joining = parseCommandLine(argumentsOf(true));
      assert.ok(joining.type === 'run');
      assert.equal(joining.options.istiod?.address, 'kubernetes.shop.internal:15012');
      assert.equal(joining.options.istiod.identity?.serviceAccount, name);
      assert.equal(joining.options.istiod.role, name === 'gateway' ? 'gateway' : 'sidecar');
    });
  }
});

/** Its containers have addresses of one namespace instead of one each. */
const ADDRESSES: Readonly<Record<string, string>> = {
  gateway: '127.0.0.10',
  web: '127.0.0.11',
  api: '127.0.0.12',
};

describe('the services of docker-compose.yml', { skip: cannotIsolate(), timeout: 60_000 }, () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'compose-'));
  const children: ChildProcess[] = [];
  let namespace: NetworkNamespace;
  let user: Application;
  let log = '';

  before(async () => {
    cpSync(FOLDER, directory, { recursive: true });
    namespace = new NetworkNamespace('compose');
    user = await Application.start(namespace);
    for (const name of PROXIES) {
      const statistics = atAddressOf(name, readFileSync(path.join(directory, 'statistics.yaml'), 'utf8'));
      const folder = path.join(directory, name);
      for (const file of readdirSync(folder).map((each) => path.join(folder, each))) {
        writeFileSync(file, atAddressOf(name, readFileSync(file, 'utf8')));
      }
      start([
        path.join(ROOT, 'server/main.ts'),
        '--resources',
        folder,
        '--config-yaml',
        statistics,
        '--concurrency',
        '1',
      ]);
    }
    for (const name of ['web', 'api']) {
      start([path.join(directory, 'application.mjs')], { NAME: name, ADDRESS: ADDRESSES[name]! });
    }
  });

  after(async () => {
    user?.stop();
    for (const child of children) if (child.exitCode === null) child.kill('SIGTERM');
    await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')));
    namespace?.remove();
    rmSync(directory, { recursive: true });
  });

  function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    const child = namespace.spawn([process.execPath, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    children.push(child);
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => (log += text));
  }

  test('answer through the gateway and both sidecars', async () => {
    const ask = () => user.ask('get', 'http://127.0.0.10:8080/hello', 'localhost:8080');
    await eventually(
      () =>
        ask().then(
          ({ status }) => status === 200,
          () => false,
        ),
      'the gateway answers',
      20_000,
    ).catch((error: Error) => assert.fail(`${error.message}\n${log}`));
    const { body } = await ask();
    const { name, id, heard } = JSON.parse(body) as {
      name: string;
      id: string;
      heard: { name: string; id: string };
    };
    assert.deepEqual([name, heard.name], ['web', 'api']);
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.equal(heard.id, id, 'one request id for the whole way');
  });

  test('give their numbers to Prometheus', async () => {
    const { scrape_configs: jobs } = parse(readFileSync(path.join(FOLDER, 'prometheus.yaml'), 'utf8')) as {
      scrape_configs: { metrics_path: string; static_configs: { targets: string[] }[] }[];
    };
    for (const { metrics_path: target, static_configs: configs } of jobs) {
      for (const [name, port] of configs.flatMap(({ targets }) => targets).map((each) => each.split(':'))) {
        const { status, body } = await user.ask('get', `http://${ADDRESSES[name!]}:${port}${target}`, 'x');
        assert.equal(status, 200, name);
        assert.match(body, /^envoy_http_downstream_rq_total\{.*\} [1-9]/m, name);
      }
    }
  });
});

/** Where a container would have 0.0.0.0, 127.0.0.1 and the names of others. */
function atAddressOf(name: string, text: string): string {
  let moved = text.replaceAll(/\b(0\.0\.0\.0|127\.0\.0\.1)\b/g, ADDRESSES[name]!);
  for (const [other, address] of Object.entries(ADDRESSES))
    moved = moved.replaceAll(`${other}.shop.internal`, address);
  return moved;
}
