// Request ids are UUIDs whose 15th character may tell why a request is traced, as other Envoys read it.
// Follows Envoy's source/extensions/request_id/uuid/config.cc.

/** Position of the version digit in a UUID's text. */
const TRACE_BYTE_POSITION = 14;
const TRACE_CHARACTERS = { none: '4', sampled: '9', client: 'b', forced: 'a' } as const;

/** `uuid` with the trace reason packed in; a malformed id is left as it is. */
export function packTraceReason(uuid: string, reason: keyof typeof TRACE_CHARACTERS): string {
  if (uuid.length !== 36) return uuid;
  return uuid.slice(0, TRACE_BYTE_POSITION) + TRACE_CHARACTERS[reason] + uuid.slice(TRACE_BYTE_POSITION + 1);
}
