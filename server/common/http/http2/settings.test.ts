// Http2ProtocolOptions as they compile: Envoy's defaults, precedence, and what is refused.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { http2Settings } from '../../../../tests/fakes/http2_recorder.ts';
import { ConfigError } from '../../../api/config_error.ts';

describe('compileHttp2Settings', () => {
  test('defaults of Envoy 1.40', () => {
    assert.deepEqual(http2Settings(), {
      hpackTableSize: 4096,
      maxConcurrentStreams: 1024,
      initialStreamWindowSize: 16_777_216,
      initialConnectionWindowSize: 25_165_824,
      allowConnect: false,
      huffmanEncoding: false,
      maxOutboundFrames: 10_000,
      maxOutboundControlFrames: 1000,
      maxConsecutiveInboundFramesWithEmptyPayload: 1,
      maxInboundPriorityFramesPerStream: 100,
      maxInboundWindowUpdateFramesPerDataFrameSent: 10,
      streamErrorOnInvalidHttpMessaging: false,
      keepalive: undefined,
      customSettings: [],
      maxHeadersBytes: 61_440,
      maxHeadersCount: 100,
      headersWithUnderscoresAction: 'ALLOW',
    });
  });

  test('whether a bad message costs the connection: the override, the connection manager, the old field', () => {
    const strict = (options: Parameters<typeof http2Settings>[0], manager?: boolean): boolean =>
      http2Settings(options, { streamErrorOnInvalidHttpMessage: manager }).streamErrorOnInvalidHttpMessaging;
    const old = { stream_error_on_invalid_http_messaging: true };
    assert.equal(strict(old), true);
    assert.equal(strict(old, false), false);
    assert.equal(
      strict({ ...old, override_stream_error_on_invalid_http_message: { value: false } }, true),
      false,
    );
  });

  const refused: [what: string, options: Parameters<typeof http2Settings>[0], path: string][] = [
    ['METADATA frames', { allow_metadata: true }, 'http2_protocol_options.allow_metadata'],
    [
      'push',
      { custom_settings_parameters: [{ identifier: { value: 2 }, value: { value: 1 } }] },
      'http2_protocol_options.custom_settings_parameters[0]',
    ],
    [
      'extended CONNECT by number',
      { custom_settings_parameters: [{ identifier: { value: 8 }, value: { value: 1 } }] },
      'http2_protocol_options.custom_settings_parameters[0]',
    ],
    [
      'a parameter said twice',
      {
        hpack_table_size: { value: 1 },
        custom_settings_parameters: [{ identifier: { value: 1 }, value: { value: 1 } }],
      },
      'http2_protocol_options.custom_settings_parameters[0]',
    ],
    [
      'a parameter with two values',
      {
        custom_settings_parameters: [
          { identifier: { value: 99 }, value: { value: 1 } },
          { identifier: { value: 99 }, value: { value: 2 } },
        ],
      },
      'http2_protocol_options.custom_settings_parameters[1]',
    ],
  ];
  for (const [what, options, path] of refused) {
    test(`refuses ${what}`, () => {
      assert.throws(
        () => http2Settings(options),
        (error: unknown) => error instanceof ConfigError && error.path === path,
      );
    });
  }
});
