// B3: what one hop tells the next of a trace, in five headers or in the one named `b3`. Facts: Envoy's
// source/extensions/tracers/zipkin/span_context_extractor.cc and https://github.com/openzipkin/b3-propagation.

import type { RequestHeaderMap } from '../../../api/http/header_map.ts';

/** Ids are lower-case hexadecimal of 16 digits (a trace's also of 32); `parentId` may be ''. */
export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
}

const HEX = /^[0-9a-fA-F]+$/;
const ID_LENGTH = 16;
const TRACE_ID_LENGTH = 32;
/** trace id (16 or 32 digits), span id, and then perhaps the decision, and after it perhaps the parent. */
const SINGLE = /^((?:[0-9a-fA-F]{16}){1,2})-([0-9a-fA-F]{16})(?:-[01d](?:-([0-9a-fA-F]{16}))?)?$/;
/** Where the decision stands in a `b3` of this length. */
const SAMPLED_POSITION: Readonly<Record<number, number>> = { 1: 0, 35: 34, 51: 50, 52: 34, 68: 50 };

/** What the hop before has decided, or undefined where it left that open. */
export function extractSampled(headers: RequestHeaderMap): boolean | undefined {
  const single = headers.get('b3');
  if (single !== undefined) {
    const flag = single[SAMPLED_POSITION[single.length] ?? -1];
    return flag === '1' || flag === 'd' ? true : flag === '0' ? false : undefined;
  }
  const sampled = headers.get('x-b3-sampled');
  return sampled === undefined ? undefined : sampled === '1' || sampled === 'true';
}

/** The span of the hop before, undefined where there is none, 'invalid' where the headers cannot be read. */
export function extractContext(headers: RequestHeaderMap): SpanContext | undefined | 'invalid' {
  const single = headers.get('b3');
  if (single !== undefined) return parseSingle(single);
  const traceId = headers.get('x-b3-traceid');
  const spanId = headers.get('x-b3-spanid');
  if (traceId === undefined || spanId === undefined) return undefined;
  const parentId = headers.get('x-b3-parentspanid') ?? '';
  if (!isId(traceId, TRACE_ID_LENGTH) || !isId(spanId, ID_LENGTH)) return 'invalid';
  if (parentId !== '' && !isId(parentId, ID_LENGTH)) return 'invalid';
  return contextOf(traceId, spanId, parentId);
}

function parseSingle(text: string): SpanContext | undefined | 'invalid' {
  if (text === '0' || text === '1' || text === 'd') return undefined;
  const match = SINGLE.exec(text);
  return match === null ? 'invalid' : contextOf(match[1], match[2], match[3] ?? '');
}

/** Of a trace id with more than 16 digits both halves must be there. */
function isId(text: string, longest: number): boolean {
  return HEX.test(text) && (text.length <= ID_LENGTH || text.length === longest);
}

function contextOf(traceId: string, spanId: string, parentId: string): SpanContext {
  return {
    traceId: padded(traceId),
    spanId: padded(spanId),
    parentId: isZero(parentId) ? '' : padded(parentId),
  };
}

/** Leading zeros of an id may be left out; ids of 128 bits whose first half is zero are of 64. */
function padded(id: string): string {
  const text = id.toLowerCase().padStart(ID_LENGTH, '0');
  return text.length > ID_LENGTH && isZero(text.slice(0, ID_LENGTH)) ? text.slice(ID_LENGTH) : text;
}

function isZero(id: string): boolean {
  return /^0*$/.test(id);
}

/** Tells the next hop; in the form that the request itself came with. */
export function injectContext(
  headers: RequestHeaderMap,
  traceId: string,
  spanId: string,
  parentId: string,
  sampled: boolean,
): void {
  const flag = sampled ? '1' : '0';
  if (headers.has('b3')) {
    headers.set('b3', `${traceId}-${spanId}-${flag}${parentId === '' ? '' : `-${parentId}`}`);
    return;
  }
  headers.set('x-b3-traceid', traceId);
  headers.set('x-b3-spanid', spanId);
  if (parentId !== '') headers.set('x-b3-parentspanid', parentId);
  headers.set('x-b3-sampled', flag);
}
