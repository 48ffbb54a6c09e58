// Log lines in Envoy's patterns, and levels per logger.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logger, parseLogLevel, setLogLevel, setLogSink } from './log.ts';
import { DEFAULT_LOG_FORMAT, jsonLogFormat, textLogFormat } from './log_format.ts';

const TIME = new Date(2026, 10, 21, 8, 5, 9, 41);
const RECORD = { level: 'info', logger: 'main', text: 'a "b"\n\tc' } as const;

function line(pattern: string, escaped = false): string {
  return textLogFormat(pattern, escaped)(RECORD, 7, TIME);
}

test('the default format', () => {
  assert.equal(line(DEFAULT_LOG_FORMAT), '[2026-11-21 08:05:09.041][7][info][main] a "b"\n\tc');
});

test('patterns', () => {
  assert.equal(line('%n|%l|%L|%t|%P|%%|%g:%#'), `main|info|I|7|${process.pid}|%|:`);
  assert.equal(
    line('%H %I %p %a %A %b %B %D %R %T %e %f'),
    '08 08 AM Sat Saturday Nov November 11/21/26 08:05 08:05:09 041 041000',
  );
  assert.equal(line('%8l|%-8l|%=8l|'), '    info|info    |  info  |');
  assert.equal(line('%k 100%'), '%k 100%');
});

test('escaping keeps an entry on one line', () => {
  assert.equal(line('%_'), 'a "b"\\n\\tc');
  assert.equal(line('%v', true), 'a "b"\\n\\tc');
  assert.equal(line('%j'), 'a \\"b\\"\\n\\tc');
});

test('JSON format', () => {
  const format = jsonLogFormat({ level: '%l', message: '%j' }, 'p');
  assert.deepEqual(JSON.parse(format(RECORD, 7, TIME)), { level: 'info', message: RECORD.text });
  assert.throws(() => jsonLogFormat({ message: '%v' }, 'p'), /contains unescaped %v/);
});

test('levels are per logger', (t) => {
  const lines: string[] = [];
  setLogSink(({ logger: name, text }) => lines.push(`${name} ${text}`));
  t.after(() => {
    setLogLevel(undefined, 'info');
    setLogSink(() => undefined);
  });
  setLogLevel(undefined, 'error');
  assert.equal(setLogLevel('dns', 'debug'), true);
  assert.equal(setLogLevel('nope', 'debug'), false);
  logger('dns').debug('seen');
  logger('main').warning('not seen');
  setLogLevel(undefined, 'off');
  logger('main').critical('not seen either');
  assert.deepEqual(lines, ['dns seen']);
  assert.equal(parseLogLevel('warn'), 'warning');
});
