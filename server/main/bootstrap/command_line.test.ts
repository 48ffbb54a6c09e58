// The command line: what the proxy's starters pass, and Envoy's errors.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Options, parseCommandLine } from './command_line.ts';
import { ENVOY_FLAGS, helpText } from './flags.ts';

function options(...args: string[]): Options {
  const result = parseCommandLine(args);
  assert.ok(result.type === 'run', JSON.stringify(result));
  return result.options;
}

function error(...args: string[]): string {
  const result = parseCommandLine(args);
  assert.ok(result.type === 'error');
  return result.text;
}

describe('accepted', () => {
  test("what Istio's agent passes", () => {
    const agent = options(
      ...'-c etc/istio/proxy/envoy-rev.json --drain-time-s 45 --drain-strategy immediate'.split(' '),
      ...'--local-address-ip-version v4 --file-flush-interval-msec 1000 --disable-hot-restart'.split(' '),
      ...'--allow-unknown-static-fields -l warning --component-log-level misc:error'.split(' '),
      ...'--skip-deprecated-logs --file-flush-min-size-kb 16 --concurrency 2'.split(' '),
      '--config-yaml',
      '{"admin": {}}',
    );
    assert.equal(agent.configPath, 'etc/istio/proxy/envoy-rev.json');
    assert.equal(agent.drainTimeS, 45);
    assert.equal(agent.drainStrategy, 'immediate');
    assert.equal(agent.fileFlushIntervalMs, 1000);
    assert.equal(agent.fileFlushMinSizeKb, 16);
    assert.equal(agent.allowUnknownStaticFields, true);
    assert.deepEqual(agent.componentLogLevels, [{ name: 'misc', level: 'error' }]);
    assert.equal(agent.concurrency, 2);
    assert.equal(agent.configYaml, '{"admin": {}}');
    assert.deepEqual(agent.inert, { 'disable-hot-restart': true });
  });

  test("Envoy's defaults", () => {
    const none = options();
    assert.equal(none.mode, 'serve');
    assert.equal(none.drainTimeS, 600);
    assert.equal(none.parentShutdownTimeS, 900);
    assert.equal(none.fileFlushIntervalMs, 10_000);
    assert.equal(none.logLevel, 'info');
    assert.equal(none.unknownDynamicFields, 'warn');
    assert.ok(none.concurrency >= 1);
  });

  test('flags with =, several of one, and what follows --', () => {
    const some = options(
      '--concurrency=0',
      '--stats-tag',
      'a:b',
      '--stats-tag=c:d:e',
      '-l',
      'warn',
      '--',
      '--nope',
    );
    assert.equal(some.concurrency, 1);
    assert.deepEqual(some.statsTags, [
      { name: 'a', value: 'b' },
      { name: 'c', value: 'd:e' },
    ]);
    assert.equal(some.logLevel, 'warning');
  });

  test('every flag of Envoy, by its type', () => {
    const values: Record<string, string> = {
      mode: 'validate',
      'log-level': 'debug',
      'component-log-level': 'http:debug',
      'local-address-ip-version': 'v6',
      'drain-strategy': 'gradual',
      'stats-tag': 'a:b',
    };
    for (const { name, type } of ENVOY_FLAGS) {
      if (['help', 'version', 'hot-restart-version', 'ignore_rest'].includes(name)) continue;
      const args = type === 'switch' ? [`--${name}`] : [`--${name}`, values[name] ?? '1'];
      assert.equal(parseCommandLine(args).type, 'run', name);
      assert.match(helpText('x'), new RegExp(`--${name}\\b`));
    }
  });

  test('--istiod with its own flags', () => {
    const { istiod } = options(
      '--istiod',
      'istiod:15010',
      '--role',
      'gateway',
      '--label',
      'a=b',
      '--label',
      'c=d=e',
    );
    assert.deepEqual(istiod, {
      address: 'istiod:15010',
      role: 'gateway',
      nodeId: '',
      namespace: 'default',
      clusterId: 'Kubernetes',
      labels: { a: 'b', c: 'd=e' },
      identity: undefined,
    });
  });
});

describe('the admin port', () => {
  test('takes its credentials from files', () => {
    const { admin } = options(
      '--admin-token-file',
      't',
      '--admin-host',
      'Proxy.Example',
      '--admin-trust-loopback',
    );
    assert.deepEqual([admin.tokenFile, admin.hosts, admin.trustLoopback], ['t', ['proxy.example'], true]);
  });

  test('refuses flags that mean nothing', () => {
    assert.match(error('--admin-cert-file', 'c'), /only used together/);
    assert.match(error('--admin-client-ca-file', 'c'), /needs --admin-cert-file/);
    assert.match(error('--admin-client-san', 'n'), /only used with --admin-client-ca-file/);
    assert.match(error('--admin-trust-loopback'), /only used where credentials are needed/);
    assert.match(
      error('--admin-allow-remote-writes', '--admin-token-file', 't'),
      /only used without credentials/,
    );
  });
});

describe('refused', () => {
  const cases: [args: string[], text: RegExp][] = [
    [['--nope'], /^PARSE ERROR: Argument: --nope\n {13}Couldn't find match for argument\n/],
    [['extra'], /Argument: extra\n/],
    [['--concurrency', 'x'], /Argument: \(--concurrency\)\n +Couldn't read argument value from string 'x'/],
    [['--concurrency'], /Missing a value for this argument!/],
    [['--mode', 'serve', '--mode', 'serve'], /Argument already set!/],
    [['-l', 'nope'], /^error: invalid log level specified 'nope'$/],
    [['--component-log-level', 'x'], /^error: component log level not correctly specified 'x'$/],
    [['--component-log-level', 'nope:debug'], /^error: invalid component specified 'nope'$/],
    [['--mode', 'x'], /^error: unknown mode 'x'$/],
    [['--drain-strategy', 'x'], /^error: unknown drain-strategy 'x'$/],
    [['--local-address-ip-version', 'v5'], /^error: unknown IP address version 'v5'$/],
    [['--stats-tag', 'foo'], /^error: misformatted stats-tag 'foo'$/],
    [['--stats-tag', 'foo:b.c'], /^error: misformatted stats-tag 'foo:b.c' contains invalid char in 'b.c'$/],
    [['--role', 'gateway'], /--role is only used with --istiod/],
    [['--istiod', 'host'], /--istiod must be HOST:PORT/],
    [['--token-file', 't'], /--token-file is only used with --istiod/],
    [['--istiod', 'h:1', '--token-file', 't'], /--token-file needs --root-ca/],
    [['--istiod', 'h:1', '--root-ca', 'c'], /--root-ca needs --token-file/],
    [
      ['--istiod', 'h:1', '--trust-domain', 't'],
      /--trust-domain is only used with --token-file and --root-ca/,
    ],
  ];
  for (const [args, text] of cases) test(args.join(' '), () => assert.match(error(...args), text));
});
