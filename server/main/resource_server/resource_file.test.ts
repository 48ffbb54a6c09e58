// What a resource file says, and where what is wrong with it stands.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseResourceFile } from './resource_file.ts';

const CLUSTER = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';

const GOOD = `resources:
- "@type": ${CLUSTER}
  name: one
  typed_extension_protocol_options:
    envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
      "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
      explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 5}}
  load_assignment:
    cluster_name: one
    endpoints:
    - lb_endpoints:
      - endpoint: {address: {pipe: {path: /x}}}
`;

test('a field path leads to its line and column, as far as the file goes', () => {
  const [resource] = parseResourceFile('f.yaml', GOOD);
  const places: [string, string][] = [
    ['', 'f.yaml:2:3'],
    ['name', 'f.yaml:3:9'],
    ['load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.pipe.path', 'f.yaml:12:43'],
    ['load_assignment.endpoints[0].lb_endpoints[7].endpoint', 'f.yaml:12:7'],
    [
      'typed_extension_protocol_options.envoy.extensions.upstreams.http.v3.HttpProtocolOptions.explicit_http_config',
      'f.yaml:7:29',
    ],
    ['lb_policy', 'f.yaml:2:3'],
  ];
  for (const [field, place] of places) assert.equal(resource!.locate(field), place, field);
});

test('several documents, JSON, and nothing at all', () => {
  const names = (text: string): string[] => parseResourceFile('f', text).map(({ name }) => name);
  assert.deepEqual(
    names(`- {"@type": ${CLUSTER}, name: a}\n---\nresources: [{"@type": ${CLUSTER}, name: b}]\n`),
    ['a', 'b'],
  );
  assert.deepEqual(names(`[{"@type": "${CLUSTER}", "name": "c", "connectTimeout": "1s"}]`), ['c']);
  for (const nothing of ['', '# only a comment\n', 'resources:\n', 'version_info: "1"\n'])
    assert.deepEqual(names(nothing), []);
});

test('equal content is an equal version, whatever its form', () => {
  const version = (text: string): string => parseResourceFile('f', text)[0]!.version;
  const one = version(`- {"@type": ${CLUSTER}, name: a, connect_timeout: 1s}`);
  assert.equal(version(`resources:\n- connectTimeout: 1.000s\n  name: a\n  "@type": ${CLUSTER}\n`), one);
  assert.notEqual(version(`- {"@type": ${CLUSTER}, name: a, connect_timeout: 2s}`), one);
});

test('faults begin with their place', () => {
  const faults: [string, RegExp][] = [
    ['- name: x\n', /^f:1:3: missing '@type'/],
    ['- 5\n', /^f:1:3: /],
    ['resources: 5\n', /^f:1:12: expected a list of resources/],
    [`- "@type": ${CLUSTER}\n  name: [\n`, /^f:\d:\d+: /],
    [`- "@type": ${CLUSTER}\n  connect_timeout: soon\n`, /^f:2:20: connect_timeout: /],
    ['- "@type": type.googleapis.com/no.such.Type\n', /^f:1:\d+: .*no\.such\.Type/],
    ['- *nowhere\n', /^f:1:\d+: /],
  ];
  for (const [text, fault] of faults) {
    assert.throws(() => parseResourceFile('f', text), { message: fault }, text);
  }
});

test('no text throws anything without a place', () => {
  const mutated = fc
    .array(fc.tuple(fc.nat(GOOD.length), fc.nat(8), fc.string({ maxLength: 4 })), { maxLength: 4 })
    .map((edits) =>
      edits.reduce((text, [at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut), GOOD),
    );
  fc.assert(
    fc.property(fc.oneof(mutated, fc.string()), (text) => {
      try {
        parseResourceFile('f', text);
      } catch (error) {
        assert.match((error as Error).message, /^f:\d+:\d+: /);
      }
    }),
    { numRuns: 300 },
  );
});
