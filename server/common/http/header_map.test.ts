// Header maps against a naive model: whatever is done to them, both say the same.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RequestHeaders, ResponseHeaders, Trailers } from './header_map.ts';

const name = fc.constantFrom('a', 'b', 'ba', 'x-long-name', 'x-long-mane', 'cookie', 'host-x', 'date');
const operation = fc.oneof(
  fc.record({ do: fc.constant('append' as const), name, value: fc.string({ maxLength: 4 }) }),
  fc.record({ do: fc.constant('set' as const), name, value: fc.string({ maxLength: 4 }) }),
  fc.record({ do: fc.constant('remove' as const), name, value: fc.constant('') }),
);

/** The same operations on pairs, without cleverness. */
class Model {
  pairs: [string, string][] = [];
  append(key: string, value: string): void {
    this.pairs.push([key, value]);
  }
  set(key: string, value: string): void {
    const at = this.pairs.findIndex(([other]) => other === key);
    if (at < 0) this.append(key, value);
    else this.pairs = this.pairs.filter(([other], i) => i <= at || other !== key);
    const found = this.pairs.find(([other]) => other === key);
    if (found !== undefined) found[1] = value;
  }
  remove(key: string): boolean {
    const before = this.pairs.length;
    this.pairs = this.pairs.filter(([other]) => other !== key);
    return this.pairs.length < before;
  }
  all(key: string): string[] {
    return this.pairs.filter(([other]) => other === key).map(([, value]) => value);
  }
}

test('a map does what its model does', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 12 }), name, (operations, asked) => {
      const map = new Trailers();
      const model = new Model();
      for (const step of operations) {
        if (step.do === 'remove') assert.equal(map.remove(step.name), model.remove(step.name));
        else {
          map[step.do](step.name, step.value);
          model[step.do](step.name, step.value);
        }
      }
      const values = model.all(asked);
      assert.deepEqual(map.list, model.pairs.flat());
      assert.equal(map.get(asked), values[0]);
      assert.equal(map.has(asked), values.length > 0);
      assert.equal(map.getAll(asked), values.length > 0 ? values.join(',') : undefined);
      assert.equal(map.byteSize(), model.pairs.flat().join('').length);
    }),
  );
});

describe('pseudo-headers', () => {
  test('of requests are fields, and host is :authority', () => {
    const headers = new RequestHeaders('GET', '/p', 'h', 'http', ['x', '1']);
    assert.deepEqual(
      [':method', ':path', ':authority', 'host', ':scheme', ':protocol', ':status'].map((key) =>
        headers.get(key),
      ),
      ['GET', '/p', 'h', 'h', 'http', undefined, undefined],
    );
    headers.set('host', 'other');
    headers.append(':protocol', 'websocket');
    assert.equal(headers.host, 'other');
    assert.equal(headers.protocol, 'websocket');
    assert.ok(headers.remove(':authority'));
    assert.ok(!headers.remove('host'));
    assert.deepEqual(headers.list, ['x', '1']);
    assert.equal(headers.byteSize(), ':methodGET:path/p:schemehttp:protocolwebsocketx1'.length);
  });

  test('of responses: the status', () => {
    const headers = new ResponseHeaders(204);
    assert.equal(headers.get(':status'), '204');
    headers.set(':status', '500');
    assert.equal(headers.status, 500);
  });

  test('host is a regular header in a response', () => {
    const headers = new ResponseHeaders(200, ['host', 'h']);
    assert.equal(headers.get('host'), 'h');
    headers.set('host', 'i');
    assert.ok(headers.remove('host'));
    assert.deepEqual(headers.list, []);
  });
});
