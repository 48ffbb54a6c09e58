import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromBinary, fromJson as oracleFromJson, toJson as oracleToJson, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { messageType } from './descriptors.ts';
import { fromJson, toJson } from './json.ts';
import { decode, encode, type Message } from './load.ts';
import { messageArbitrary } from './testing/arbitrary.ts';
import { oracleRegistry, oracleType } from './testing/oracle.ts';

const TYPES = [
  'envoy.config.bootstrap.v3.Bootstrap',
  'envoy.config.cluster.v3.Cluster',
  'envoy.config.endpoint.v3.ClusterLoadAssignment',
  'envoy.config.listener.v3.Listener',
  'envoy.config.route.v3.RouteConfiguration',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
  'envoy.extensions.transport_sockets.tls.v3.Secret',
  'envoy.service.discovery.v3.DeltaDiscoveryRequest',
  'envoy.admin.v3.ConfigDump',
  'envoy.admin.v3.ServerInfo',
  'google.protobuf.Struct',
  'xds.type.matcher.v3.Matcher',
  'stats.PluginConfig',
];

/** Through JSON text: maps have prototypes there, and -0 and undefined do not exist. */
function plain(json: unknown): unknown {
  return JSON.parse(JSON.stringify(json));
}

describe('agrees with @bufbuild/protobuf', () => {
  const registry = oracleRegistry();
  for (const name of TYPES) {
    const type = messageType(name);
    const schema = oracleType(registry, name);

    test(`wire bytes and JSON of ${name}`, () => {
      fc.assert(
        fc.property(messageArbitrary(type), (message) => {
          const bytes = encode(name, message);
          const json = plain(toJson(name, message));
          const theirs = fromBinary(schema, bytes);
          assert.deepEqual(json, plain(oracleToJson(schema, theirs, { registry })));

          const decoded = decode<Message>(name, toBinary(schema, theirs));
          assert.deepEqual(plain(toJson(name, decoded)), json);

          const back = oracleFromJson(schema, json as never, { registry });
          assert.deepEqual(plain(toJson(name, decode<Message>(name, toBinary(schema, back)))), json);
          assert.deepEqual(plain(toJson(name, fromJson<Message>(name, json))), json);
        }),
        { numRuns: 300 },
      );
    });
  }
});
