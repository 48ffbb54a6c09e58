// A pod of a mesh: an application and its sidecar in a network namespace of their own, with iptables as Istio sets them, and
// an istiod of its own behind a relay, so that it can be told what this sidecar alone is to have.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CertificateAuthority } from '../fakes/certificate_authority.ts';
import { FakeIstiod } from '../fakes/fake_istiod.ts';
import type { Kind } from './control_plane.ts';
import { Application } from './namespace_application.ts';
import { NetworkNamespace, PROXY_GID } from './network_namespace.ts';
import { eventually } from './proxy_process.ts';
import { holdRecorded } from './recorded_config.ts';

const MAIN = path.join(import.meta.dirname, '../../server/main.ts');
const ISTIOD_PORT = 15012;

export interface PodOptions {
  readonly name: string;
  /** For sockets and files. */
  readonly directory: string;
  readonly serviceAccount: string;
  /** What istiod sends it, each resource as `change` leaves it. */
  readonly recording: string;
  readonly change: (kind: Kind, name: string, resource: object) => object;
  /** A port that the sidecar does not see. */
  readonly excludedInbound: number;
}

export class Pod {
  readonly namespace: NetworkNamespace;
  readonly #options: PodOptions;
  application!: Application;
  istiod!: FakeIstiod;
  #proxy!: ChildProcess;
  /** What the proxy wrote: its log, and the access log in between. */
  log = '';

  constructor(options: PodOptions) {
    this.#options = options;
    this.namespace = new NetworkNamespace(options.name);
  }

  async start(authority: CertificateAuthority): Promise<void> {
    const { name, directory, serviceAccount, recording, change, excludedInbound } = this.#options;
    this.namespace.redirect(excludedInbound);
    const socket = path.join(directory, `${name}.sock`);
    this.istiod = await FakeIstiod.start(authority, `unix:${socket}`);
    this.istiod.tokens.set(`token of ${name}`, `spiffe://cluster.local/ns/default/sa/${serviceAccount}`);
    holdRecorded(this.istiod.plane, recording, change);
    this.application = await Application.start(this.namespace);
    await this.application.ask('forward', ISTIOD_PORT, socket);
    const [token, root] = [path.join(directory, `${name}.token`), path.join(directory, `${name}.root`)];
    writeFileSync(token, `token of ${name}`);
    writeFileSync(root, authority.rootPem);
    const args = [
      ...[process.execPath, MAIN, '--istiod', `127.0.0.1:${ISTIOD_PORT}`, '--token-file', token],
      ...['--root-ca', root, '--service-account', serviceAccount, '--label', `app=${name}`],
      ...['--concurrency', '2', '--file-flush-interval-msec', '20', '--drain-strategy', 'immediate'],
    ];
    this.#proxy = this.namespace.spawn(args, { gid: PROXY_GID, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#proxy.stdout!, this.#proxy.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => (this.log += text));
    await eventually(() => this.#isReady(), `the sidecar of the ${name} is ready`, 20_000).catch(
      (error: Error) => {
        throw new Error(`${error.message}\n${this.log}`);
      },
    );
  }

  /** Numbers of the proxy whose names match, by name. */
  async stats(filter: string): Promise<ReadonlyMap<string, number>> {
    const url = `http://127.0.0.1:15000/stats?filter=${encodeURIComponent(filter)}`;
    const { body } = await this.application.ask('get', url, 'localhost');
    return new Map(
      body.split('\n').flatMap((line) => {
        const [, name, value] = /^(.*): (\d+)$/.exec(line) ?? [];
        return name === undefined ? [] : [[name, Number(value)]];
      }),
    );
  }

  async #isReady(): Promise<boolean> {
    const answer = await this.application
      .ask('get', 'http://127.0.0.1:15000/ready', 'localhost')
      .catch(() => undefined);
    return answer?.status === 200;
  }

  async stop(): Promise<void> {
    this.application?.stop();
    this.istiod?.close();
    this.namespace.remove();
    if (this.#proxy === undefined || this.#proxy.exitCode !== null) return;
    this.#proxy.kill('SIGTERM');
    await once(this.#proxy, 'exit');
  }
}
