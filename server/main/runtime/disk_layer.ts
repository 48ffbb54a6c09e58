// A runtime layer on disk: a tree of small files below a symbolic link, a file a key. Swapping the link loads the new
// tree. Envoy: source/common/runtime/runtime_impl.cc (DiskLayer), docs configuration/operations/runtime.

import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from 'node:fs';
import path from 'node:path';
import type { RuntimeLayer_DiskLayer } from '../../../xds-protos/generated/envoy/config/bootstrap/v3.ts';
import type { RuntimeValue } from '../../common/runtime/runtime.ts';

/** Envoy's limit: links in a tree may make a loop. */
const MAX_DEPTH = 16;

export class DiskLayer {
  readonly name: string;
  readonly #root: string;
  readonly #folder: string;
  #watcher: FSWatcher | undefined;

  constructor(name: string, layer: RuntimeLayer_DiskLayer, serviceCluster: string) {
    this.name = name;
    this.#root = layer.symlink_root;
    const parts = [layer.symlink_root, layer.subdirectory];
    if (layer.append_service_cluster) parts.push(serviceCluster);
    this.#folder = path.join(...parts);
  }

  /** The keys there are now; undefined when the folder does not exist. Throws Error when the tree cannot be read. */
  read(): Map<string, RuntimeValue> | undefined {
    if (statSync(this.#folder, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
    const values = new Map<string, RuntimeValue>();
    walk(this.#folder, '', values, 0);
    return values;
  }

  /** Calls back after the link was replaced by a rename. */
  watch(onChange: () => void): void {
    const link = path.basename(this.#root);
    this.#watcher = watch(path.dirname(this.#root), { persistent: false }, (event, file) => {
      if (event === 'rename' && file === link) onChange();
    });
    this.#watcher.on('error', () => this.close());
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}

function walk(folder: string, prefix: string, values: Map<string, RuntimeValue>, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error(`Walk recursion depth exceeded ${MAX_DEPTH}`);
  for (const name of readdirSync(folder)) {
    const file = path.join(folder, name);
    if (statSync(file).isDirectory()) walk(file, `${prefix}${name}.`, values, depth + 1);
    else values.set(prefix + name, withoutComments(readFileSync(file, 'utf8')));
  }
}

/** Lines that begin with # are comments. */
function withoutComments(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .trim();
}
