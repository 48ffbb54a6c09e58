// @bufbuild/protobuf over the same descriptors: the second opinion on wire format and JSON that the property tests ask.
// All types go into one file, packages as messages that only hold messages, so that no order of files matters.

import { readFileSync } from 'node:fs';
import { create, createFileRegistry, type DescMessage, type FileRegistry } from '@bufbuild/protobuf';
import { protoCamelCase } from '@bufbuild/protobuf/reflect';
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  type EnumDescriptorProto,
  EnumDescriptorProtoSchema,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  OneofDescriptorProtoSchema,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt';
import { DESCRIPTORS_FILE } from '../build.ts';
import type { Descriptor, EnumDescriptor, FieldDescriptor, MessageDescriptor } from '../descriptors.ts';

/** A registry of every type that generated/descriptors.txt has. */
export function oracleRegistry(): FileRegistry {
  const root = create(DescriptorProtoSchema);
  const messages = new Map<string, DescriptorProto>([['', root]]);
  const enums: EnumDescriptorProto[] = [];
  const holder = (name: string): DescriptorProto => {
    const known = messages.get(name);
    if (known !== undefined) return known;
    const dot = name.lastIndexOf('.');
    const made = create(DescriptorProtoSchema, { name: name.slice(dot + 1) });
    messages.set(name, made);
    holder(name.slice(0, Math.max(dot, 0))).nestedType.push(made);
    return made;
  };
  for (const line of readFileSync(DESCRIPTORS_FILE, 'utf8').trimEnd().split('\n')) {
    const [name, json] = line.split('\t') as [string, string];
    const descriptor = JSON.parse(json) as Descriptor;
    if ('fields' in descriptor) fill(holder(name), name, descriptor);
    else holder(name.slice(0, name.lastIndexOf('.'))).enumType.push(enumOf(name, descriptor));
  }
  const file = create(FileDescriptorProtoSchema, {
    name: 'all.proto',
    syntax: 'proto3',
    messageType: root.nestedType,
    enumType: enums,
  });
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));
}

/** The oracle's type of that name. */
export function oracleType(registry: FileRegistry, name: string): DescMessage {
  const type = registry.getMessage(name);
  if (type === undefined) throw new Error(`the oracle has no ${name}`);
  return type;
}

function enumOf(name: string, descriptor: EnumDescriptor): EnumDescriptorProto {
  const value = Object.entries(descriptor.values).map(([name, number]) => ({ name, number }));
  const aliases = new Set(Object.values(descriptor.values)).size < value.length;
  return create(EnumDescriptorProtoSchema, {
    name: name.slice(name.lastIndexOf('.') + 1),
    value: value.sort((a, b) => Number(b.number === 0) - Number(a.number === 0)),
    options: { allowAlias: aliases },
  });
}

function fill(message: DescriptorProto, name: string, descriptor: MessageDescriptor): void {
  const oneofs = (descriptor.oneofs ?? []).map((oneof) => oneof.name);
  for (const field of descriptor.fields) {
    const made = create(FieldDescriptorProtoSchema, {
      name: field.name,
      number: field.number,
      label: field.repeated || field.key !== undefined ? Label.REPEATED : Label.OPTIONAL,
      ...typeOf(field),
      jsonName: field.json ?? protoCamelCase(field.name),
    });
    if (field.oneof !== undefined) made.oneofIndex = oneofs.indexOf(field.oneof);
    if (field.optional) {
      made.proto3Optional = true;
      made.oneofIndex = oneofs.push(`_${field.name}`) - 1;
    }
    if (field.key !== undefined) {
      message.nestedType.push(entryOf(field, field.key));
      made.type = Type.MESSAGE;
      made.typeName = `.${name}.${entryName(field)}`;
    }
    message.field.push(made);
  }
  message.oneofDecl = oneofs.map((name) => create(OneofDescriptorProtoSchema, { name }));
}

function entryName(field: FieldDescriptor): string {
  return `${field.name}_entry`;
}

function entryOf(field: FieldDescriptor, key: string): DescriptorProto {
  const label = Label.OPTIONAL;
  return create(DescriptorProtoSchema, {
    name: entryName(field),
    options: { mapEntry: true },
    field: [
      { name: 'key', number: 1, label, ...typeOf({ name: 'key', number: 1, type: key }) },
      { name: 'value', number: 2, label, ...typeOf(field) },
    ],
  });
}

function typeOf(field: FieldDescriptor): { type: Type; typeName?: string } {
  const type = Type[field.type.toUpperCase() as keyof typeof Type];
  return field.of === undefined ? { type } : { type, typeName: `.${field.of}` };
}
