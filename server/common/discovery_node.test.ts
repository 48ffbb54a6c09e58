// Who we say we are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '../../xds-protos/load.ts';
import { structToJson } from '../../xds-protos/well_known.ts';
import { discoveryNode } from './discovery_node.ts';

test('the node keeps what the bootstrap says and adds version and extensions', () => {
  const own = create('envoy.config.core.v3.Node', {
    id: 'sidecar~10.0.0.1~a.b~c',
    cluster: 'reviews.default',
    metadata: { fields: { NAMESPACE: { string_value: 'default' } } },
    locality: { region: 'r' },
  });
  const router = {
    category: 'envoy.filters.http',
    name: 'envoy.filters.http.router',
    configTypes: ['envoy.extensions.filters.http.router.v3.Router'],
    routeConfigTypes: undefined,
    load: () => assert.fail('only listed'),
  } as const;
  const node = discoveryNode(own, '0.1.0', [router]);
  assert.deepEqual([node.id, node.cluster, node.locality?.region], [own.id, own.cluster, 'r']);
  assert.deepEqual(structToJson(node.metadata!), { NAMESPACE: 'default' });
  assert.equal(node.user_agent_name, 'envoy');
  const build = node.user_agent_build_version!;
  assert.deepEqual([build.version?.major_number, build.version?.minor_number], [1, 40]);
  assert.equal(structToJson(build.metadata!)['build.label'], 'pilotfish/0.1.0');
  assert.deepEqual(
    node.extensions.map(({ name, category, type_urls }) => [name, category, type_urls]),
    [[router.name, router.category, router.configTypes]],
  );
});
