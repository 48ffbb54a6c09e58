// fast-check arbitraries of any message type: few fields at a time, every kind of field, well-known types within their ranges.

import fc from 'fast-check';
import { encodeMessage } from '../codec.ts';
import { type Field, type Message, type MessageType, messageType } from '../descriptors.ts';

const PACKED = [
  'google.protobuf.Duration',
  'google.protobuf.StringValue',
  'envoy.config.core.v3.SocketAddress',
  'stats.PluginConfig',
];

/** Messages of a type, nested at most `depth` deep. */
export function messageArbitrary(type: MessageType, depth = 4): fc.Arbitrary<Message> {
  switch (type.name) {
    case 'google.protobuf.Any':
      return anyArbitrary(depth);
    case 'google.protobuf.Duration':
      return secondsArbitrary(type, -315_576_000_000n, 315_576_000_000n, true);
    case 'google.protobuf.Timestamp':
      return secondsArbitrary(type, -62_135_596_800n, 253_402_300_799n, false);
    case 'google.protobuf.FieldMask': {
      const paths = fc.array(fc.stringMatching(/^[a-z]{1,4}(_[a-z]{1,4})?(\.[a-z]{1,4})?$/));
      return paths.map((paths) => made(type, paths.length === 0 ? {} : { paths }));
    }
    default:
      return fieldsArbitrary(type, depth);
  }
}

function made(type: MessageType, fields: object): Message {
  return Object.assign(type.create(), fields);
}

function secondsArbitrary(
  type: MessageType,
  min: bigint,
  max: bigint,
  signed: boolean,
): fc.Arbitrary<Message> {
  return fc
    .tuple(fc.bigInt({ min: min + 1n, max: max - 1n }), fc.nat(999_999_999))
    .map(([seconds, nanos]) => made(type, { seconds, nanos: signed && seconds < 0n ? 0 - nanos : nanos }));
}

function anyArbitrary(depth: number): fc.Arbitrary<Message> {
  return fc.constantFrom(...PACKED).chain((name) =>
    messageArbitrary(messageType(name), depth - 1).map((message) =>
      made(messageType('google.protobuf.Any'), {
        type_url: `type.googleapis.com/${name}`,
        value: encodeMessage(messageType(name), message),
      }),
    ),
  );
}

function fieldsArbitrary(type: MessageType, depth: number): fc.Arbitrary<Message> {
  const usable = depth > 0 ? type.fields : type.fields.filter((field) => field.type !== 'message');
  const isValue = type.name === 'google.protobuf.Value';
  if (usable.length === 0) return fc.constant(type.create());
  return fc
    .uniqueArray(fc.constantFrom(...usable), { minLength: isValue ? 1 : 0, maxLength: isValue ? 1 : 4 })
    .map(oneOfEach)
    .chain((fields) =>
      fc
        .tuple(...fields.map((field) => fieldArbitrary(field, depth, isValue)))
        .map((values) => made(type, Object.fromEntries(fields.map((field, at) => [field.name, values[at]])))),
    );
}

/** At most one member of every oneof. */
function oneOfEach(fields: Field[]): Field[] {
  const taken = new Set<string>();
  return fields.filter((field) => {
    if (field.oneof === undefined) return true;
    if (taken.has(field.oneof)) return false;
    taken.add(field.oneof);
    return true;
  });
}

function fieldArbitrary(field: Field, depth: number, finite: boolean): fc.Arbitrary<unknown> {
  const one =
    field.type === 'message' ? messageArbitrary(field.message, depth - 1) : scalar(field, field.type, finite);
  if (field.repeated) return fc.array(one, { minLength: 1, maxLength: 3 });
  if (field.key === undefined) return one;
  return fc
    .array(fc.tuple(scalar(field, field.key, finite).map(String), one), { minLength: 1, maxLength: 3 })
    .map((entries) => Object.assign(Object.create(null), Object.fromEntries(entries)));
}

// No -0: proto3 has no agreement on whether it is a default. Floats with few digits, since both print those alike.
function scalar(field: Field, type: string, finite: boolean): fc.Arbitrary<unknown> {
  switch (type) {
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: 8 });
    case 'bool':
      return fc.boolean();
    case 'bytes':
      return fc.uint8Array({ maxLength: 8 });
    case 'enum':
      return fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(...field.enum.nameOf.values()) },
        {
          weight: field.enum.numberOf.size === 1 ? 0 : 1,
          arbitrary: fc.integer({ min: 70_000, max: 80_000 }),
        },
      );
    case 'double':
      return fc.double({ noNaN: finite, noDefaultInfinity: finite }).map((value) => value + 0);
    case 'float':
      return fc.integer({ min: -8000, max: 8000 }).map((value) => value / 8);
    case 'int32':
    case 'sint32':
    case 'sfixed32':
      return fc.integer();
    case 'uint32':
    case 'fixed32':
      return fc.integer({ min: 0, max: 0xffffffff });
    case 'uint64':
    case 'fixed64':
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    default:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  }
}
