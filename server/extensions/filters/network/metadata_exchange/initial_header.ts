// The message two Istio proxies send each other first on a TCP connection with ALPN `istio-peer-exchange`: a magic number,
// the size, and an Any with a Struct. Istio: source/extensions/filters/network/metadata_exchange.

import { decode, encode, typeUrlOf } from '../../../../../xds-protos/load.ts';
import { structToJson } from '../../../../../xds-protos/well_known.ts';
import {
  structOf,
  type WorkloadMetadata,
  workloadFromMetadata,
} from '../../../../common/istio/workload_metadata.ts';

/** MetadataExchangeInitialHeader::magic_number. */
const MAGIC = 0x3d230467;
/** Magic and size, both big-endian. */
const HEADER_BYTES = 8;
const PEER_METADATA = 'x-envoy-peer-metadata';
const PEER_METADATA_ID = 'x-envoy-peer-metadata-id';

/** What the front of a connection holds. */
export type ExchangeResult =
  | { readonly type: 'need_header' }
  | { readonly type: 'need_data' }
  | { readonly type: 'bad_magic' }
  /** The header was good, what follows is not a message. */
  | { readonly type: 'bad_data' }
  /** `peer` is undefined when the message tells nothing about it. `length` is the bytes it took. */
  | { readonly type: 'done'; readonly peer: WorkloadMetadata | undefined; readonly length: number };

/** Our own message: header and data. */
export function encodeNodeMetadata(workload: WorkloadMetadata, nodeId: string): Uint8Array {
  const json = {
    [PEER_METADATA]: workload.toMetadata(),
    ...(nodeId !== '' && { [PEER_METADATA_ID]: nodeId }),
  };
  const value = encode('google.protobuf.Struct', structOf(json));
  const any = encode('google.protobuf.Any', { type_url: typeUrlOf('google.protobuf.Struct'), value });
  const message = Buffer.alloc(HEADER_BYTES + any.length);
  message.writeUInt32BE(MAGIC, 0);
  message.writeUInt32BE(any.length, 4);
  message.set(any, HEADER_BYTES);
  return message;
}

/** Reads the peer's message from `bytes[start, end)`. Never throws. */
export function decodeNodeMetadata(
  bytes: Uint8Array,
  start: number,
  end: number,
  additionalLabels: readonly string[],
): ExchangeResult {
  if (end - start < HEADER_BYTES) return { type: 'need_header' };
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
  if (view.getUint32(0) !== MAGIC) return { type: 'bad_magic' };
  const length = HEADER_BYTES + view.getUint32(4);
  if (end - start < length) return { type: 'need_data' };
  try {
    const any = decode('google.protobuf.Any', bytes.slice(start + HEADER_BYTES, start + length));
    const struct = structToJson(decode('google.protobuf.Struct', any.value));
    const metadata = struct[PEER_METADATA];
    const isObject = typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata);
    return {
      type: 'done',
      peer: isObject ? workloadFromMetadata(metadata, additionalLabels) : undefined,
      length,
    };
  } catch {
    return { type: 'bad_data' };
  }
}
