// Fields that this build does not know are told, but a mesh that has one in all of its resources does not fill the log.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../api/config_error.ts';
import { setLogLevel } from '../../common/log.ts';
import { ResourceDecoder } from './resource_decoder.ts';

setLogLevel(undefined, 'off');

const TYPE = 'istio.workload.Workload';
/** `name` and a string in a field of tomorrow. */
const withUnknown = (name: string, field: number): Uint8Array =>
  Buffer.concat([
    Buffer.from([0x0a, name.length]),
    Buffer.from(name),
    Buffer.from([((field & 15) << 3) | 0x82, field >> 4, 1, 0x78]),
  ]);

test('the same unknown field counts once, whoever has it', () => {
  let counted = 0;
  const decoder = new ResourceDecoder('warn', () => counted++);
  assert.equal(decoder.decode(TYPE, withUnknown('a', 900)).name, 'a');
  decoder.decode(TYPE, withUnknown('b', 900));
  assert.equal(counted, 1);
  decoder.decode(TYPE, withUnknown('c', 901));
  assert.equal(counted, 2);
});

test('they are refused each time, or never, where that is the policy', () => {
  const strict = new ResourceDecoder('reject', () => assert.fail('counts nothing'));
  for (let i = 0; i < 2; i++) assert.throws(() => strict.decode(TYPE, withUnknown('a', 900)), ConfigError);
  const lax = new ResourceDecoder('ignore', () => assert.fail('counts nothing'));
  assert.equal(lax.decode(TYPE, withUnknown('a', 900)).name, 'a');
});
