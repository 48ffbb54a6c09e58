// Parses .proto text with protobufjs into one Root, overlay files last.
// An overlay message of a name that exists adds its fields to that one, or replaces them; anything else in it is new.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import protobuf from 'protobufjs';

// Bundled with protobufjs: what every options extension extends.
const DESCRIPTOR_PROTO = createRequire(import.meta.url).resolve(
  'protobufjs/google/protobuf/descriptor.proto',
);

/** Parses `packaged` and `overlay` files; references are left to resolve. */
export function parseProtos(packaged: readonly string[], overlay: readonly string[]): protobuf.Root {
  const root = new protobuf.Root();
  const sources = [DESCRIPTOR_PROTO, ...packaged].map((file) => ({ file, into: root }));
  const additions = overlay.map((file) => ({ file, into: new protobuf.Root() }));
  for (const { file, into } of [...sources, ...additions]) {
    try {
      protobuf.parse(readFileSync(file, 'utf8'), into, { keepCase: true });
    } catch (error) {
      throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
    }
  }
  for (const { into } of additions) merge(root, into);
  return root;
}

function merge(target: protobuf.NamespaceBase, from: protobuf.NamespaceBase): void {
  for (const addition of [...from.nestedArray]) {
    const existing = target.get(addition.name);
    if (existing instanceof protobuf.Namespace && addition instanceof protobuf.Namespace) {
      if (existing instanceof protobuf.Type && addition instanceof protobuf.Type)
        mergeFields(existing, addition);
      merge(existing, addition);
    } else if (existing instanceof protobuf.Enum && addition instanceof protobuf.Enum) {
      for (const [name, id] of Object.entries(addition.values)) {
        if (!(name in existing.values)) existing.add(name, id);
      }
    } else {
      from.remove(addition);
      target.add(addition);
    }
  }
}

// A field that exists is replaced: newer Envoys relax validation rules.
function mergeFields(existing: protobuf.Type, addition: protobuf.Type): void {
  for (const field of addition.fieldsArray) {
    const oneof = field.partOf;
    const replaced = existing.fields[field.name];
    if (replaced !== undefined) existing.remove(replaced);
    addition.remove(field);
    existing.add(field);
    if (oneof === null) continue;
    const target = existing.oneofs?.[oneof.name];
    if (target !== undefined) target.add(field);
    else existing.add(new protobuf.OneOf(oneof.name, [field.name], oneof.options));
  }
}
