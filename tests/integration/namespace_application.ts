// The test's side of an application in a network namespace (namespace_child.ts).

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Commands } from './namespace_child.ts';
import type { NetworkNamespace } from './network_namespace.ts';

const CHILD = fileURLToPath(new URL('namespace_child.ts', import.meta.url));

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

export class Application {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #asked = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (reply: Reply) => {
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    });
  }

  /** `gid` of the proxy: its connections pass the sidecar by. */
  static async start(namespace: NetworkNamespace, gid?: number): Promise<Application> {
    const child = namespace.spawn([process.execPath, CHILD], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      ...(gid === undefined ? {} : { gid }),
    });
    const application = new Application(child);
    await once(child, 'message');
    return application;
  }

  async ask<Name extends keyof Commands>(
    name: Name,
    ...args: Parameters<Commands[Name]>
  ): Promise<Awaited<ReturnType<Commands[Name]>>> {
    const id = ++this.#asked;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.#waiting.set(id, resolve);
    this.#child.send({ id, name, args });
    const { result, error } = await promise;
    if (error !== undefined) throw new Error(`${name}(${args.join(', ')}): ${error}`);
    return result as Awaited<ReturnType<Commands[Name]>>;
  }

  stop(): void {
    this.#child.disconnect();
  }
}
