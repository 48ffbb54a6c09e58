// Access log filters and the gathering file writer.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FakeStatStore, fakeFactoryContext, fakeRuntime } from '../../../tests/fakes/factory_context.ts';
import { fakeLogContext, fakeStreamInfo, requestHeaders } from '../../../tests/fakes/log_context.ts';
import { until } from '../../../tests/fakes/until.ts';
import type * as accesslog from '../../../xds-protos/generated/envoy/config/accesslog/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { encodeAny } from '../../../xds-protos/load.ts';
import type { LogContext } from '../../api/access_log.ts';
import { ConfigError } from '../../api/config_error.ts';
import { ResponseFlag } from '../../api/stream_info.ts';
import { ALL_EXTENSIONS } from '../../extensions/all_extensions.ts';
import { ExtensionRegistry } from '../registry.ts';
import { setDynamicMetadata } from '../stream_info/stream_info.ts';
import { compileAccessLogs } from './access_log_config.ts';
import { compileAccessLogFilter } from './access_log_filter.ts';
import { FileLogManager } from './file_log_manager.ts';

const OPTIONS = { fileFlushMinSizeBytes: 32, fileFlushIntervalMs: 20 };

function temporaryFile(): string {
  return join(mkdtempSync(join(tmpdir(), 'access-log-')), 'log');
}

describe('access log filters', () => {
  const runtime = fakeRuntime({ 'status.floor': 500, on: 100 });
  const passes = (filter: object, facts: LogContext): boolean => {
    const config = fromJson<accesslog.AccessLogFilter>('envoy.config.accesslog.v3.AccessLogFilter', filter);
    return compileAccessLogFilter(config, fakeFactoryContext({ runtime }), 'filter').evaluate(facts);
  };
  const streamInfo = fakeStreamInfo();
  streamInfo.responseCode = 404;
  streamInfo.requestComplete = 1250.9;
  streamInfo.responseFlags = ResponseFlag.NoRouteFound;
  setDynamicMetadata(streamInfo, 'n', { a: { b: 'v' } });
  const headers = requestHeaders({ 'x-request-id': '00000009-0000-a000-0000-000000000000', 'x-h': 'v' });
  const facts = fakeLogContext({ streamInfo, requestHeaders: headers });

  const comparison = (op: string, value: number, key = 'k'): object => ({
    comparison: { op, value: { default_value: value, runtime_key: key } },
  });
  const cases: readonly (readonly [string, object, boolean])[] = [
    ['status GE', { status_code_filter: comparison('GE', 404) }, true],
    ['status EQ', { status_code_filter: comparison('EQ', 405) }, false],
    ['status NE', { status_code_filter: comparison('NE', 404) }, false],
    ['status by runtime', { status_code_filter: comparison('GE', 404, 'status.floor') }, false],
    ['duration is whole ms', { duration_filter: comparison('LE', 250) }, true],
    ['not health check', { not_health_check_filter: {} }, true],
    ['traceable', { traceable_filter: {} }, true],
    ['runtime', { runtime_filter: { runtime_key: 'on' } }, true],
    [
      'runtime by request id',
      { runtime_filter: { runtime_key: 'k', percent_sampled: { numerator: 9 } } },
      false,
    ],
    ['header', { header_filter: { header: { name: 'x-h', string_match: { exact: 'v' } } } }, true],
    ['any flag', { response_flag_filter: {} }, true],
    ['other flag', { response_flag_filter: { flags: ['UF', 'DI'] } }, false],
    ['gRPC status from HTTP', { grpc_status_filter: { statuses: ['UNIMPLEMENTED'] } }, true],
    ['gRPC status excluded', { grpc_status_filter: { statuses: ['UNIMPLEMENTED'], exclude: true } }, false],
    ['log type', { log_type_filter: { types: ['DownstreamEnd'] } }, true],
    ['log type excluded', { log_type_filter: { types: ['DownstreamEnd'], exclude: true } }, false],
    [
      'and',
      {
        and_filter: {
          filters: [{ not_health_check_filter: {} }, { status_code_filter: comparison('GE', 500) }],
        },
      },
      false,
    ],
    [
      'or',
      {
        or_filter: {
          filters: [{ status_code_filter: comparison('GE', 500) }, { not_health_check_filter: {} }],
        },
      },
      true,
    ],
    [
      'metadata',
      {
        metadata_filter: {
          matcher: {
            filter: 'n',
            path: [{ key: 'a' }, { key: 'b' }],
            value: { string_match: { exact: 'v' } },
          },
        },
      },
      true,
    ],
    [
      'metadata without the key',
      {
        metadata_filter: {
          matcher: { filter: 'n', path: [{ key: 'z' }], value: { string_match: { exact: 'v' } } },
          match_if_key_not_found: false,
        },
      },
      false,
    ],
  ];
  for (const [name, filter, expected] of cases)
    test(name, () => assert.equal(passes(filter, facts), expected));

  test('a health check is left out', () => {
    const check = fakeStreamInfo();
    check.healthCheck = true;
    assert.equal(passes({ not_health_check_filter: {} }, fakeLogContext({ streamInfo: check })), false);
  });
});

describe('log files', () => {
  test('lines are written when enough are there, the rest when time is up', async () => {
    const path = temporaryFile();
    const stats = new FakeStatStore();
    const manager = new FileLogManager(OPTIONS, stats);
    const file = manager.open(path);
    assert.equal(manager.open(path), file);
    file.write('a line of twenty bytes\n');
    assert.equal(readFileSync(path, 'latin1'), '');
    file.write('and another one\xe9\n');
    await until(() => stats.value('filesystem.write_completed') === 1);
    assert.equal(readFileSync(path, 'latin1'), 'a line of twenty bytes\nand another one\xe9\n');
    assert.equal(stats.value('filesystem.flushed_by_timer'), 0);
    file.write('late\n');
    await until(() => stats.value('filesystem.flushed_by_timer') === 1);
    await manager.close();
    assert.match(readFileSync(path, 'latin1'), /\nlate\n$/);
    assert.equal(stats.value('filesystem.write_total_buffered'), 0);
  });

  test('reopen follows a moved file and loses nothing', async () => {
    const path = temporaryFile();
    const manager = new FileLogManager(OPTIONS, new FakeStatStore());
    const file = manager.open(path);
    file.write('x'.repeat(40) + '\n');
    renameSync(path, `${path}.1`);
    manager.reopen();
    file.write('new\n');
    await manager.close();
    assert.equal(readFileSync(`${path}.1`, 'latin1').length + readFileSync(path, 'latin1').length, 45);
    assert.equal(readFileSync(path, 'latin1'), 'new\n');
  });

  test('a stalled file drops lines instead of growing without bound', () => {
    const stats = new FakeStatStore();
    const file = new FileLogManager({ ...OPTIONS, fileFlushMinSizeBytes: 1e9 }, stats).open('/dev/null');
    for (let i = 0; i < 20; i++) file.write('y'.repeat(1024 * 1024));
    assert.equal(stats.value('filesystem.write_dropped'), 4);
  });

  test('what is gathered is written synchronously at exit', () => {
    const path = temporaryFile();
    const manager = new FileLogManager(OPTIONS, new FakeStatStore());
    manager.open(path).write('bye\n');
    manager.flushSync();
    assert.equal(readFileSync(path, 'latin1'), 'bye\n');
  });
});

describe('compileAccessLogs', () => {
  const registry = new ExtensionRegistry(ALL_EXTENSIONS);
  const access = (config: object): accesslog.AccessLog[] => [
    {
      name: 'log',
      typed_config: encodeAny('envoy.extensions.access_loggers.file.v3.FileAccessLog', config as never),
    },
  ];

  test('writes formatted lines that pass the filter', async () => {
    const path = temporaryFile();
    const logFiles = new FileLogManager(OPTIONS, new FakeStatStore());
    const list = access({ path, format: '%RESPONSE_CODE%\n' });
    list[0].filter = fromJson<accesslog.AccessLogFilter>('envoy.config.accesslog.v3.AccessLogFilter', {
      header_filter: { header: { name: 'x-log', present_match: true } },
    });
    const [log] = compileAccessLogs(list, fakeFactoryContext({ registry, logFiles }), 'access_log');
    log.log(fakeLogContext());
    log.log(fakeLogContext({ requestHeaders: requestHeaders({ 'x-log': '1' }) }));
    await logFiles.close();
    assert.equal(readFileSync(path, 'latin1'), '0\n');
  });

  test('errors name the field', () => {
    const logFiles = new FileLogManager(OPTIONS, new FakeStatStore());
    const context = fakeFactoryContext({ registry, logFiles });
    assert.throws(
      () => compileAccessLogs(access({ path: '/nonexistent/x' }), context, 'access_log'),
      (error) => error instanceof ConfigError && error.path === 'access_log[0].typed_config.path',
    );
    assert.throws(
      () => compileAccessLogs(access({ path: '/dev/null', format: '%FOO%' }), context, 'access_log'),
      new ConfigError('access_log[0].typed_config.format', 'Not supported field in StreamInfo: FOO'),
    );
  });
});
