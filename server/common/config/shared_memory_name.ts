// How threads agree on memory that they share (FactoryContext.sharedMemory): by the version of a resource and a place in it. Paths
// of the main thread begin in the bootstrap, those of workers in the resource, so what stands before the resource is left out.

import type { CompiledResource } from '../../api/registry.ts';
import { xxHash64 } from '../hash/xx_hash_64.ts';

export function sharedMemoryName(resource: CompiledResource, path: string): string {
  const inside = path.slice(resource.path.length);
  return `${resource.id()} ${inside.startsWith('.') ? inside.slice(1) : inside}`;
}

/** A resource that compiles by itself: `key` and bytes tell its version from all others. */
export function compiledResource(kind: string, key: string, bytes: Uint8Array, path = ''): CompiledResource {
  const id = (): string => `${kind} ${key} ${xxHash64(Buffer.from(bytes).toString('latin1')).toString(16)}`;
  return { path, id };
}
