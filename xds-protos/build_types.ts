// Writes the TypeScript types: one file per proto package (`envoy/config/cluster/v3.ts`), and type_map.ts from full names to types.
// Types only: nothing of them exists at run time.

import type { Descriptor, EnumDescriptor, FieldDescriptor, MessageDescriptor } from './descriptors.ts';

const BANNER = '// Written by xds-protos/build.ts.\n\n';

const SCALARS: Readonly<Record<string, string>> = {
  string: 'string',
  bool: 'boolean',
  bytes: 'Uint8Array',
  int64: 'bigint',
  uint64: 'bigint',
  sint64: 'bigint',
  fixed64: 'bigint',
  sfixed64: 'bigint',
};

/** Path below generated/ to its text. */
export function typeFiles(descriptors: ReadonlyMap<string, Descriptor>): Map<string, string> {
  const packages = new Map<string, string[]>();
  for (const [name, descriptor] of descriptors) {
    const names = packages.get(descriptor.package);
    if (names === undefined) packages.set(descriptor.package, [name]);
    else names.push(name);
  }
  const files = new Map<string, string>();
  for (const [pkg, names] of packages) files.set(fileOf(pkg), packageFile(pkg, names, descriptors));
  files.set('type_map.ts', typeMap(packages, descriptors));
  return files;
}

function fileOf(pkg: string): string {
  return `${pkg.replaceAll('.', '/')}.ts`;
}

/** `Cluster_DiscoveryType` for `envoy.config.cluster.v3.Cluster.DiscoveryType`. */
function localName(name: string, descriptor: Descriptor): string {
  return name.slice(descriptor.package.length + 1).replaceAll('.', '_');
}

function alias(pkg: string): string {
  return pkg.replaceAll('.', '_');
}

function packageFile(pkg: string, names: string[], all: ReadonlyMap<string, Descriptor>): string {
  const imports = new Set<string>();
  const reference = (target: string): string => {
    const descriptor = all.get(target)!;
    const local = localName(target, descriptor);
    if (descriptor.package === pkg) return local;
    imports.add(descriptor.package);
    return `${alias(descriptor.package)}.${local}`;
  };
  const bodies = names.map((name) => {
    const descriptor = all.get(name)!;
    const local = localName(name, descriptor);
    return 'fields' in descriptor
      ? interfaceText(name, local, descriptor, reference)
      : enumText(name, local, descriptor);
  });
  const up = '../'.repeat(pkg.split('.').length - 1) || './';
  const lines = [...imports]
    .sort()
    .map((other) => `import type * as ${alias(other)} from '${up}${fileOf(other)}';\n`);
  return `${BANNER}${lines.join('')}\n${bodies.join('\n')}`;
}

function enumText(name: string, local: string, descriptor: EnumDescriptor): string {
  const values = Object.keys(descriptor.values).map((value) => `'${value}'`);
  // A number that this build has no name for is kept as a number; the brand keeps code from writing numbers for names.
  return `/** ${name} */\nexport type ${local} = ${values.join(' | ')} | (number & { readonly unrecognized: never });\n`;
}

function interfaceText(
  name: string,
  local: string,
  descriptor: MessageDescriptor,
  reference: (target: string) => string,
): string {
  const fields = descriptor.fields.map((field) => fieldText(field, reference));
  return `/** ${name} */\nexport interface ${local} {\n${fields.join('')}}\n`;
}

function fieldText(field: FieldDescriptor, reference: (target: string) => string): string {
  const value = field.of === undefined ? (SCALARS[field.type] ?? 'number') : reference(field.of);
  const note = field.oneof === undefined ? '' : `  /** oneof ${field.oneof} */\n`;
  if (field.key !== undefined) return `  ${field.name}: { readonly [key: string]: ${value} };\n`;
  if (field.repeated) return `  ${field.name}: readonly ${value.includes(' ') ? `(${value})` : value}[];\n`;
  const presence = field.type === 'message' || field.oneof !== undefined || field.optional === true;
  return `${note}  ${field.name}${presence ? '?' : ''}: ${value}${presence ? ' | undefined' : ''};\n`;
}

function typeMap(packages: ReadonlyMap<string, string[]>, all: ReadonlyMap<string, Descriptor>): string {
  const imports: string[] = [];
  const entries: string[] = [];
  for (const [pkg, names] of packages) {
    const messages = names.filter((name) => 'fields' in all.get(name)!);
    if (messages.length === 0) continue;
    imports.push(`import type * as ${alias(pkg)} from './${fileOf(pkg)}';\n`);
    for (const name of messages)
      entries.push(`  '${name}': ${alias(pkg)}.${localName(name, all.get(name)!)};\n`);
  }
  return `${BANNER}${imports.join('')}\n/** Full message names to their types. */\nexport interface TypeMap {\n${entries.join('')}}\n`;
}
