// Who we say we are to a control plane. Control planes tell versions of Envoy apart by user_agent_name and build version, and
// some serve nobody else; so we name the Envoy whose behaviour this is, and ourselves in the build's label.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/base.proto#config-core-v3-node

import type { Node } from '../../xds-protos/generated/envoy/config/core/v3.ts';
import { create } from '../../xds-protos/load.ts';
import type { Extension } from '../api/registry.ts';

/** The Envoy whose API and behaviour this follows. */
const ENVOY_VERSION = { major_number: 1, minor_number: 40, patch: 0 };

/** The bootstrap's node with what the program adds. `version` is Pilotfish's. */
export function discoveryNode(node: Node, version: string, extensions: readonly Extension[]): Node {
  const metadata = {
    'build.label': `pilotfish/${version}`,
    'build.type': 'RELEASE',
  };
  const fields = Object.entries(metadata).map(([key, value]) => [key, { string_value: value }]);
  return create('envoy.config.core.v3.Node', {
    ...node,
    user_agent_name: 'envoy',
    user_agent_build_version: { version: ENVOY_VERSION, metadata: { fields: Object.fromEntries(fields) } },
    extensions: extensions.map(({ name, category, configTypes }) => ({
      name,
      category: String(category),
      type_urls: [...configTypes],
    })),
  });
}
