// Asks a real Envoy what the tables of http1_cases.ts say it answers, over raw sockets: so that the tables stay true when
// Envoy moves on, and that what we call stricter is.

import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { ENVOY_BIN, EnvoyProcess } from './envoy_process.ts';
import { CHUNKED, CHUNKS, REQUESTS, STRICTER } from './http1_cases.ts';

/** Longer than Envoy takes for any answer that it is going to give, in milliseconds. */
const PATIENCE_MS = 1000;

const EXTENSIONS = 'type.googleapis.com/envoy.extensions.filters';

/** Answers every complete request itself; every answer's body is status and details. */
const BOOTSTRAP = {
  static_resources: {
    listeners: [
      {
        name: 'http1',
        address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
        filter_chains: [
          {
            filters: [
              {
                name: 'hcm',
                typed_config: {
                  '@type': `${EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager`,
                  stat_prefix: 'x',
                  codec_type: 'HTTP1',
                  local_reply_config: {
                    body_format: {
                      text_format_source: { inline_string: '%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%' },
                    },
                  },
                  route_config: {
                    virtual_hosts: [
                      {
                        name: 'all',
                        domains: ['*'],
                        routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }],
                      },
                    ],
                  },
                  http_filters: [
                    {
                      name: 'buffer',
                      typed_config: {
                        '@type': `${EXTENSIONS}.http.buffer.v3.Buffer`,
                        max_request_bytes: 65536,
                      },
                    },
                    { name: 'router', typed_config: { '@type': `${EXTENSIONS}.http.router.v3.Router` } },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
  },
};

/** The codec's details; everything else comes from behind it, so the codec let the request pass. */
const CODEC_DETAILS = /^\d+ (http1\.|http\.invalid_authority|low_version)/;

describe('Envoy and the tables', { skip: ENVOY_BIN === undefined && 'no Envoy: set ENVOY_BIN' }, () => {
  let envoy: EnvoyProcess;
  before(async () => {
    envoy = await EnvoyProcess.start(BOOTSTRAP);
  });
  after(() => envoy?.stop());

  /** `status details` of the codec, or `passed`. */
  function ask(request: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(envoy.ports.get('http1')!, '127.0.0.1');
      let received = '';
      const finish = () => {
        clearTimeout(timer);
        socket.destroy();
        const answer = /\r\n\r\n(.*)$/s.exec(received)?.[1] ?? '';
        resolve(CODEC_DETAILS.test(answer) ? answer : 'passed');
      };
      const timer = setTimeout(finish, PATIENCE_MS);
      socket.on('error', reject);
      socket.on('end', finish);
      socket.on('data', (data) => {
        received += data.toString('latin1');
        const length = Number(/content-length: (\d+)/.exec(received)?.[1] ?? 0);
        if (length > 0 && (/\r\n\r\n(.*)$/s.exec(received)?.[1].length ?? 0) >= length) finish();
      });
      socket.write(request, 'latin1');
    });
  }

  async function check(rows: [name: string, request: string, expected: string][]): Promise<void> {
    const answers = await Promise.all(rows.map((row) => ask(row[1])));
    assert.deepEqual(
      rows.map(([name], i) => `${name}: ${answers[i]}`),
      rows.map(([name, , expected]) => `${name}: ${CODEC_DETAILS.test(expected) ? expected : 'passed'}`),
    );
  }

  test('requests', () => check(REQUESTS));
  test('chunked requests', () => check(CHUNKS.map(([name, body, answer]) => [name, CHUNKED + body, answer])));
  test('requests that we refuse and it does not', () =>
    check(STRICTER.map(([name, request]) => [name, request, 'passed'])));
});
