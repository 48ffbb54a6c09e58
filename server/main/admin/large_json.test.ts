// What is made in steps is what would be made at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mixedRoutes } from '../../../tests/perf/route_tables.ts';
import { fromJson, type Json, toJson } from '../../../xds-protos/json.ts';
import { decode, encode, encodeAny } from '../../../xds-protos/load.ts';
import { redact } from '../../../xds-protos/redact.ts';
import { finish } from '../../common/event/steps.ts';
import { prettyJson } from './handler.ts';
import { plainPieces, prettyPieces, redactedJson } from './large_json.ts';

const ROUTES = 'envoy.config.route.v3.RouteConfiguration';
const DUMP = 'envoy.admin.v3.RoutesConfigDump.DynamicRouteConfig';
const SECRET = 'the-canary-in-the-coal-mine';

/** A dump of routes with `<` in it, headers in front of and behind the long list, one of them a credential. */
function dump(): Uint8Array {
  const { config } = mixedRoutes(2000, 'a<b>');
  const header = { key: 'authorization', value: SECRET };
  const message = fromJson(ROUTES, {
    ...config,
    request_headers_to_add: [{ header }],
    response_headers_to_remove: ['x'],
    ignore_port_in_host_matching: true,
  });
  return encode(DUMP, { version_info: '1', route_config: encodeAny(ROUTES, message as never) });
}

function atOnce(bytes: Uint8Array): Json {
  return toJson(DUMP, redact(DUMP, decode(DUMP, bytes)), { preserveProtoFieldNames: true });
}

test('a large message becomes the same JSON in steps', () => {
  const bytes = dump();
  const steps = redactedJson(DUMP, bytes);
  let count = 0;
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) count++;
  assert.ok(count > 5, `${count} steps`);
  assert.equal(JSON.stringify(step.value), JSON.stringify(atOnce(bytes)));
  assert.ok(!JSON.stringify(step.value).includes(SECRET));
});

test('it is printed the same in pieces', () => {
  const json = finish(redactedJson(DUMP, dump()));
  const pieces = [...prettyPieces(json, 0)];
  assert.ok(pieces.length > 5);
  assert.equal(`${pieces.join('')}\n`, prettyJson(json));
  assert.equal(`{\n "a": ${[...prettyPieces(json, 1)].join('')}\n}\n`, prettyJson({ a: json }));
  assert.equal([...plainPieces(json)].join(''), JSON.stringify(json));
});
