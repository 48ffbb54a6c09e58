// Turns a protobufjs Root into plain descriptors: the only form that the run time and the type generator know.
// Kept: what v3 configuration, the xDS services and the admin endpoint reach. Field options kept: validate rules (1071) and `sensitive`.

import protobuf from 'protobufjs';
import type {
  Descriptor,
  EnumDescriptor,
  FieldDescriptor,
  MessageDescriptor,
  OneofDescriptor,
  Rules,
} from './descriptors.ts';

// Their messages are kept, with all that these refer to. v2 is gone from Envoy, and descriptor.proto describes protos.
const ROOTS = [
  /^envoy\..*\.v3\.\w/,
  /^(xds\.(?!annotations)|udpa\.type\.)/,
  /^google\.rpc\.Status$/,
  /^google\.protobuf\.(Any|Duration|Empty|FieldMask|Timestamp|Struct|\w*Value)$/,
  /^(istio|io\.istio|stats|envoy\.tcp\.metadataexchange)\./,
  /^opentelemetry\.proto\.collector\./,
];

/** Descriptors by full name, in name order. */
export function describe(root: protobuf.Root): Map<string, Descriptor> {
  const found = new Map<string, Descriptor>();
  const visit = (object: protobuf.Type | protobuf.Enum): void => {
    const name = object.fullName.slice(1);
    if (found.has(name)) return;
    if (object instanceof protobuf.Enum) {
      found.set(name, describeEnum(object));
      return;
    }
    const fields = object.fieldsArray.filter(isResolvable);
    found.set(name, describeMessage(object, fields));
    for (const field of fields) if (field.resolvedType !== null) visit(field.resolvedType);
  };
  for (const object of walk(root)) {
    const name = object.fullName.slice(1);
    if (ROOTS.some((pattern) => pattern.test(name))) visit(object);
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function* walk(namespace: protobuf.NamespaceBase): Generator<protobuf.Type | protobuf.Enum> {
  for (const object of namespace.nestedArray) {
    if (object instanceof protobuf.Type || object instanceof protobuf.Enum) yield object;
    if (object instanceof protobuf.Namespace) yield* walk(object);
  }
}

function packageOf(object: protobuf.ReflectionObject): string {
  let parent = object.parent;
  while (parent instanceof protobuf.Type) parent = parent.parent;
  return parent?.fullName.slice(1) ?? '';
}

/** False for the few fields whose type (opencensus, prometheus) the package does not bring. */
function isResolvable(field: protobuf.Field): boolean {
  try {
    field.resolve();
    return true;
  } catch {
    return false;
  }
}

function describeEnum(object: protobuf.Enum): EnumDescriptor {
  return { package: packageOf(object), values: { ...object.values } };
}

function describeMessage(type: protobuf.Type, resolved: protobuf.Field[]): MessageDescriptor {
  const oneofs = type.oneofsArray.filter((oneof) => !oneof.isProto3Optional);
  const fields = resolved.map(describeField);
  const descriptor: MessageDescriptor = { package: packageOf(type), fields };
  if (oneofs.length > 0) descriptor.oneofs = oneofs.map(describeOneof);
  if (optionsOf(type)['(validate.disabled)'] === true) descriptor.unvalidated = true;
  return descriptor;
}

function describeOneof(oneof: protobuf.OneOf): OneofDescriptor {
  return optionsOf(oneof)['(validate.required)'] === true
    ? { name: oneof.name, required: true }
    : { name: oneof.name };
}

function describeField(field: protobuf.Field): FieldDescriptor {
  const options = optionsOf(field);
  const descriptor: FieldDescriptor = { name: field.name, number: field.id, type: field.type };
  if (field.resolvedType instanceof protobuf.Enum) descriptor.type = 'enum';
  else if (field.resolvedType !== null) descriptor.type = 'message';
  if (field.resolvedType !== null) descriptor.of = field.resolvedType.fullName.slice(1);
  if (field instanceof protobuf.MapField) descriptor.key = field.keyType;
  if (field.repeated) descriptor.repeated = true;
  if (field.partOf?.isProto3Optional) descriptor.optional = true;
  else if (field.partOf) descriptor.oneof = field.partOf.name;
  if (typeof options['json_name'] === 'string') descriptor.json = options['json_name'];
  const rules = options['(validate.rules)'];
  if (rules !== undefined) descriptor.rules = rules as Rules;
  if (options['(udpa.annotations.sensitive)'] === true) descriptor.sensitive = true;
  return descriptor;
}

/** The options as written, nested ones as objects, several statements about one option merged. */
function optionsOf(object: protobuf.ReflectionObject): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...object.options };
  const parsed = (object.parsedOptions ?? []) as readonly object[];
  for (const option of parsed) Object.assign(merged, option);
  return merged;
}
