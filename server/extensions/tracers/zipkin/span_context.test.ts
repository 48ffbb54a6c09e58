import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestHeaders } from '../../../common/http/header_map.ts';
import { extractContext, extractSampled, injectContext } from './span_context.ts';

const TRACE = '463ac35c9f6413ad48485a3953bb6124';
const SPAN = 'a2fb4a1d1a96d312';
const PARENT = '0020000000000001';

function head(...list: string[]): RequestHeaders {
  return new RequestHeaders('GET', '/', 'example.com', 'http', list);
}

test('ids are read from five headers', () => {
  const headers = head('x-b3-traceid', TRACE, 'x-b3-spanid', '1F', 'x-b3-parentspanid', PARENT);
  assert.deepEqual(extractContext(headers), {
    traceId: TRACE,
    spanId: '000000000000001f',
    parentId: PARENT,
  });
  assert.equal(extractSampled(headers), undefined);
});

test('a span needs its trace', () => {
  assert.equal(extractContext(head('x-b3-spanid', SPAN)), undefined);
  assert.equal(extractContext(head()), undefined);
});

test('ids that are not hexadecimal, or too long, are invalid', () => {
  for (const [trace, span, parent] of [
    ['zz', SPAN, PARENT],
    [`${TRACE}0`, SPAN, PARENT],
    [TRACE, `${SPAN}0`, PARENT],
    [TRACE, SPAN, 'g'],
  ] as const) {
    const headers = head('x-b3-traceid', trace, 'x-b3-spanid', span, 'x-b3-parentspanid', parent);
    assert.equal(extractContext(headers), 'invalid');
  }
});

test('one header says it all', () => {
  const cases: [string, string, boolean | undefined][] = [
    [`${TRACE}-${SPAN}`, '', undefined],
    [`${TRACE}-${SPAN}-0`, '', false],
    [`${TRACE}-${SPAN}-d`, '', true],
    [`${TRACE}-${SPAN}-1-${PARENT}`, PARENT, true],
    [`${TRACE.slice(16)}-${SPAN}-1-${PARENT}`, PARENT, true],
  ];
  for (const [b3, parentId, sampled] of cases) {
    const traceId = b3.slice(0, b3.indexOf('-'));
    assert.deepEqual(extractContext(head('b3', b3)), { traceId, spanId: SPAN, parentId });
    assert.equal(extractSampled(head('b3', b3)), sampled);
  }
  assert.equal(extractContext(head('b3', '1')), undefined);
  for (const b3 of ['', 'x', `${TRACE}-${SPAN}-`, `${TRACE}-${SPAN}-2`, `${TRACE}-${SPAN}-1-1`])
    assert.equal(extractContext(head('b3', b3)), 'invalid', b3);
});

test('a decision is 1, true, or no', () => {
  for (const [text, sampled] of [
    ['1', true],
    ['true', true],
    ['0', false],
    ['yes', false],
  ] as const)
    assert.equal(extractSampled(head('x-b3-sampled', text)), sampled);
});

test('the next hop is told in the form that came', () => {
  const many = head();
  injectContext(many, TRACE, SPAN, PARENT, true);
  assert.deepEqual(many.list, [
    ...['x-b3-traceid', TRACE, 'x-b3-spanid', SPAN],
    ...['x-b3-parentspanid', PARENT, 'x-b3-sampled', '1'],
  ]);
  const single = head('b3', '0');
  injectContext(single, TRACE, SPAN, '', false);
  assert.deepEqual(single.list, ['b3', `${TRACE}-${SPAN}-0`]);
});
