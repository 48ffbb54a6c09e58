import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkedBody } from './body.ts';
import { ApiError, type Schema } from './endpoint.ts';

const SCHEMA: Schema = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: {
    name: { type: 'string' },
    seconds: { type: 'integer', minimum: 0, maximum: 600 },
    inside: {
      type: 'object',
      additionalProperties: false,
      properties: { kind: { type: 'string', enum: ['a', 'b'] } },
    },
    list: { type: 'array', items: { type: 'boolean' } },
  },
};

function refusal(text: string): string {
  try {
    checkedBody(SCHEMA, text);
  } catch (error) {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 400);
    return error.message;
  }
  return '';
}

describe('the body of a POST', () => {
  test('what the schema describes is taken', () => {
    const body = { name: 'x', seconds: 600, inside: { kind: 'b' }, list: [true, false] };
    assert.deepEqual(checkedBody(SCHEMA, JSON.stringify(body)), body);
    assert.deepEqual(checkedBody({ type: 'object' }, ' '), {});
  });

  test('what it does not is refused with the field', () => {
    assert.match(refusal('{"name"'), /^the body is not JSON: /);
    assert.equal(refusal('[]'), 'the body must be an object');
    assert.equal(refusal('{}'), "'name' is required");
    assert.equal(refusal('{"name":1}'), "'name' must be a text");
    assert.equal(refusal('{"name":"","other":1}'), "unknown field 'other'");
    assert.equal(refusal('{"name":"","seconds":1.5}'), "'seconds' must be a whole number");
    assert.equal(refusal('{"name":"","seconds":601}'), "'seconds' must be from 0 to 600");
    assert.equal(refusal('{"name":"","inside":{"kind":"c"}}'), "'inside.kind' must be one of a, b");
    assert.equal(refusal('{"name":"","list":[true,1]}'), "'list[1]' must be true or false");
  });
});
