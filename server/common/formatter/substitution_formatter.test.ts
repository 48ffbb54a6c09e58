// What the formatter prints, as a real Envoy 1.40 printed it for the same facts.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fakeFactoryContext } from '../../../tests/fakes/factory_context.ts';
import {
  fakeLogContext,
  fakeStreamInfo,
  ipAddress,
  requestHeaders,
  responseHeaders,
  trailers,
} from '../../../tests/fakes/log_context.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import type { LogContext } from '../../api/access_log.ts';
import { ConfigError } from '../../api/config_error.ts';
import { ResponseFlag, type SslConnectionInfo } from '../../api/stream_info.ts';
import { StringAccessor } from '../stream_info/filter_state.ts';
import { setDynamicMetadata } from '../stream_info/stream_info.ts';
import { compileFormat, compileSubstitutionFormatString, DEFAULT_FORMAT } from './substitution_formatter.ts';

const context = fakeFactoryContext();

function print(format: string, facts: LogContext = fakeLogContext()): string {
  return compileFormat(format, context, 'f').format(facts);
}

function printJson(format: object, facts: LogContext): string {
  const config = fromJson('envoy.config.core.v3.SubstitutionFormatString', format);
  return compileSubstitutionFormatString(config, context, 'f').format(facts);
}

describe('text formats', () => {
  test('the default format prints Envoy’s line', () => {
    const streamInfo = fakeStreamInfo();
    streamInfo.protocol = 'HTTP/1.1';
    streamInfo.responseCode = 200;
    streamInfo.responseFlags =
      ResponseFlag.UpstreamConnectionFailure | ResponseFlag.UpstreamRetryLimitExceeded;
    streamInfo.bytesSent = 5;
    streamInfo.requestComplete = 1012.9;
    const headers = requestHeaders({
      ':path': '/a?b',
      ':authority': 'ex.com:99',
      'user-agent': 'ua',
      'x-request-id': 'id',
    });
    assert.equal(
      print(DEFAULT_FORMAT, fakeLogContext({ streamInfo, requestHeaders: headers })),
      '[2026-11-21T08:19:17.203Z] "GET /a?b HTTP/1.1" 200 URX,UF 0 5 12 - "-" "ua" "id" "ex.com:99" "-"\n',
    );
  });

  test('headers: alternative, length, first of several values', () => {
    const headers = requestHeaders({ 'x-b': 'hello' });
    headers.append('x-rep', 'a');
    headers.append('x-rep', 'b');
    const facts = fakeLogContext({
      requestHeaders: headers,
      responseHeaders: responseHeaders(404, { etag: 'e' }),
      responseTrailers: trailers({ t: 'v' }),
    });
    assert.equal(print('%REQ(X-A?X-B):3%|%REQ(x-rep)%|%REQ(nope)%', facts), 'hel|a|-');
    assert.equal(print('%RESP(etag)%|%TRAILER(t)%|%RESP(:status)%', facts), 'e|v|404');
  });

  test('path and query', () => {
    const facts = fakeLogContext({ requestHeaders: requestHeaders({ ':path': '/up/x?a=1%202&b=3' }) });
    assert.equal(
      print('%PATH%|%PATH(NQ)%|%PATH(NQ:ORIG)%|%QUERY_PARAM(a)%|%QUERY_PARAM(a):1%|%QUERY_PARAM(zz)%', facts),
      '/up/x?a=1%202&b=3|/up/x|-|1 2|1|-',
    );
    assert.equal(print('%QUERY_PARAMS%|%QUERY_PARAMS(DECODED)%', facts), 'a=1%202&b=3|a=1%202&b=3');
    const original = requestHeaders({ ':path': '/dead', 'x-envoy-original-path': '/orig?q=1' });
    assert.equal(print('%PATH(NQ)%|%QUERY_PARAMS%', fakeLogContext({ requestHeaders: original })), '/orig|-');
  });

  test('times', () => {
    assert.equal(
      print('%START_TIME(%a %A %b %B %c %C %d %D %e %F %g %G %h %I %j %k %l)%'),
      'Sat Saturday Nov November Sat Nov 21 08:19:17 2026 20 21 11/21/26 21 2026-11-21 26 2026 Nov 08 325  8  8',
    );
    const streamInfo = fakeStreamInfo();
    streamInfo.startTime += 0.247;
    const facts = fakeLogContext({ streamInfo });
    assert.equal(
      print(
        '%START_TIME(%M %p %P %r %R %t %T %u %U %V %w %W %x %X %y %z %Z %% %E4S %Ez %E*S %Ey %q)%',
        facts,
      ),
      '19 AM am 08:19:17 AM 08:19 \t 08:19:17 6 46 47 6 46 11/21/26 08:19:17 26 +0000 UTC % 17.2032 +00:00 17.203247 26 %q',
    );
    assert.equal(
      print('%START_TIME(%s.%6f %f %9f %1f %2f|%0f %E3f %3s %5d %-d %_d %^a)%', facts),
      '1795249157.203247 203247000 203247000 2 20|%0f 203 1795249157 00021 21 21 SAT',
    );
  });

  test('durations need both of their ends', () => {
    const streamInfo = fakeStreamInfo();
    streamInfo.downstreamRxComplete = 1000.0953;
    streamInfo.firstUpstreamRxByte = 1003.5;
    const facts = fakeLogContext({ streamInfo });
    assert.equal(
      print('%COMMON_DURATION(DS_RX_BEG:DS_RX_END:us)%|%REQUEST_DURATION%|%RESPONSE_DURATION%', facts),
      '95|0|3',
    );
    assert.equal(print('%REQUEST_TX_DURATION%|%RESPONSE_TX_DURATION%', facts), '-|-');
  });

  test('addresses', () => {
    const streamInfo = fakeStreamInfo();
    streamInfo.remoteAddress = ipAddress('2001:db8::1', 5);
    const facts = fakeLogContext({ streamInfo });
    assert.equal(
      print(
        '%DOWNSTREAM_REMOTE_ADDRESS%|%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(32)%|%DOWNSTREAM_REMOTE_PORT%',
        facts,
      ),
      '[2001:db8::1]:5|2001:db8::/32|5',
    );
    assert.equal(
      print(
        '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT(16)%|%DOWNSTREAM_LOCAL_ADDRESS%|%UPSTREAM_HOST%',
        facts,
      ),
      '10.0.0.0/16|10.0.0.2:80|-',
    );
  });

  test('metadata and filter state', () => {
    const streamInfo = fakeStreamInfo();
    setDynamicMetadata(streamInfo, 'rt', { a: 'é', n: 1.5, l: [1, 'x', true, null], o: { z: 1, a: 2 } });
    streamInfo.filterState.set('s', new StringAccessor('text'));
    const facts = fakeLogContext({ streamInfo });
    assert.equal(
      Buffer.from(
        print('%DYNAMIC_METADATA(rt)%|%DYNAMIC_METADATA(rt:a)%|%METADATA(DYNAMIC:rt:n)%', facts),
        'latin1',
      ).toString(),
      '{"a":"é","l":[1,"x",true,null],"n":1.5,"o":{"a":2,"z":1}}|é|1.5',
    );
    assert.equal(
      print('%FILTER_STATE(s:PLAIN):2%|%FILTER_STATE(s)%|%FILTER_STATE(no:PLAIN)%', facts),
      'te|"text"|-',
    );
  });

  test('gRPC status comes from trailers, headers or the HTTP code, of gRPC requests only', () => {
    const streamInfo = fakeStreamInfo();
    streamInfo.responseCode = 503;
    const grpc = requestHeaders({ 'content-type': 'application/grpc+proto' });
    const format = '%GRPC_STATUS%|%GRPC_STATUS(SNAKE_STRING)%|%GRPC_STATUS_NUMBER%';
    assert.equal(
      print(format, fakeLogContext({ streamInfo, requestHeaders: grpc })),
      'Unavailable|UNAVAILABLE|14',
    );
    const responseTrailers = trailers({ 'grpc-status': '0' });
    assert.equal(
      print(format, fakeLogContext({ streamInfo, requestHeaders: grpc, responseTrailers })),
      'OK|OK|0',
    );
    assert.equal(print(format, fakeLogContext({ streamInfo, responseTrailers })), '-|-|-');
  });

  test('a server name that is no host name is marked', () => {
    const streamInfo = fakeStreamInfo();
    streamInfo.connection.requestedServerName = 'a b.c';
    assert.equal(print('%REQUESTED_SERVER_NAME%', fakeLogContext({ streamInfo })), 'invalid:a_b.c');
    assert.equal(print('%REQUESTED_SERVER_NAME(HOST_FIRST)%', fakeLogContext({ streamInfo })), 'example.com');
  });

  test('TLS facts, and nothing on plaintext', () => {
    const format =
      '%DOWNSTREAM_PEER_URI_SAN%|%DOWNSTREAM_PEER_SUBJECT%|%DOWNSTREAM_PEER_CERT%|%DOWNSTREAM_PEER_CERT_V_END(%s)%';
    assert.equal(print(format), '-|-|-|-');
    const streamInfo = fakeStreamInfo();
    streamInfo.connection.ssl = {
      peerCertificatePresented: true,
      uriSanPeer: ['spiffe://a', 'spiffe://b'],
      subjectPeer: '',
      peerCertificatePem: '-----BEGIN CERTIFICATE-----\na+/=\n',
      expirationPeerMs: 5000,
    } as unknown as SslConnectionInfo;
    assert.equal(
      print(format, fakeLogContext({ streamInfo })),
      'spiffe://a,spiffe://b|-|-----BEGIN%20CERTIFICATE-----%0Aa%2B%2F%3D%0A|5',
    );
  });

  test('two percent signs are one', () => assert.equal(print('%%|100%%'), '%|100%'));
});

describe('JSON formats', () => {
  const facts = (): LogContext => {
    const streamInfo = fakeStreamInfo();
    streamInfo.responseCode = 200;
    return fakeLogContext({
      streamInfo,
      requestHeaders: requestHeaders({ 'x-uni': 'Ã©', 'x-bad': 'aÿb\t"\\' }),
    });
  };

  test('values keep their types, keys are sorted, missing values are null', () => {
    const format = {
      b: '%RESPONSE_CODE%',
      a: 'x %RESPONSE_CODE% %REQ(nope)%',
      missing: '%REQ(nope)%',
      t: true,
      z: { q: '%BYTES_SENT%', list: ['%REQ(:method)%', '%REQ(nope)%', { k: 'v' }] },
      hdr: '%REQ(x-uni)%',
      bad: '%REQ(x-bad)%',
      'q"k': '"\\\u0001',
      utf: 'é',
      10: 'x',
      9: 'y',
    };
    assert.equal(
      Buffer.from(printJson({ json_format: format }, facts()), 'latin1').toString(),
      '{"10":"x","9":"y","a":"x 200 -","b":200,"bad":"a\\u00ffb\\u0009\\u0022\\u005c","hdr":"é","missing":null,' +
        '"q\\"k":"\\"\\\\\\u0001","t":true,"utf":"é","z":{"list":["GET",null,{"k":"v"}],"q":0}}\n',
    );
  });

  test('omit_empty_values leaves out missing values and the objects they leave empty', () => {
    const format = {
      b: '%RESPONSE_CODE%',
      m: '%REQ(no)%',
      a: 'x%REQ(no)%y',
      l: ['%REQ(no)%', 'a'],
      o: { m: '%REQ(no)%' },
      e: '',
    };
    assert.equal(
      printJson({ json_format: format, omit_empty_values: true }, facts()),
      '{"a":"xy","b":200,"e":"","l":["a"]}\n',
    );
  });
});

describe('errors are Envoy’s', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['%FOO(x)%', 'Not supported field in StreamInfo: FOO'],
    ['a % b', "Incorrect configuration: a % b. Couldn't find valid command at position 2"],
    ['%REQ(a)x%', "Incorrect configuration: %REQ(a)x%. Couldn't find valid command at position 0"],
    ['%REQ(a)%%', "Incorrect configuration: %REQ(a)%%. Couldn't find valid command at position 8"],
    [
      'lower %protocol%',
      "Incorrect configuration: lower %protocol%. Couldn't find valid command at position 6",
    ],
    ['%REQ()%', 'REQ requires parameters'],
    ['%REQ(a?b?c)%', 'More than 1 alternative header specified in token: a?b?c'],
    ['%REQ(a b)%', 'Invalid header configuration. Format string contains invalid characters.'],
    ['%PROTOCOL:5%', 'PROTOCOL does not take any parameters or length'],
    ['%START_TIME(x):5%', 'START_TIME does not allow length to be specified.'],
    ['%START_TIME(%n)%', 'Invalid header configuration. Format string contains newline.'],
    ['%GRPC_STATUS(x)%', 'GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER. Got: x'],
    ['%METADATA(X:a)%', 'X is not supported type of metadata'],
    ['%FILTER_STATE()%', 'Invalid filter state configuration, key cannot be empty.'],
    ['%FILTER_STATE(a:X)%', 'Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.'],
    [
      '%FILTER_STATE(a:PLAIN:b)%',
      'Invalid filter state serialize type, FIELD should be used with the field name.',
    ],
    ['%COMMON_DURATION(a)%', 'Invalid common duration configuration: a.'],
    ['%COMMON_DURATION(DS_RX_BEG:DS_RX_END:xx)%', 'Invalid common duration precision: xx.'],
    ['%PATH(X)%', "Invalid PATH option: 'X', only 'WQ'/'NQ' are allowed"],
    ['%QUERY_PARAMS(X)%', "Invalid QUERY_PARAMS option: 'X', only 'ORIG'/'DECODED' are allowed"],
  ];
  for (const [format, reason] of cases) {
    test(format, () => {
      assert.throws(() => compileFormat(format, context, 'f'), new ConfigError('f', reason));
    });
  }
});
