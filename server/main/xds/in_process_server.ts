// A server of resources that is no server: a cluster that the configuration names as the source of its secrets, while they
// are made in this process. Keys that are served so never pass a socket.

import type { Secret } from '../../../xds-protos/generated/envoy/extensions/transport_sockets/tls/v3.ts';
import type { ConfigWatch } from './config_watch.ts';
import type { ResourceType } from './resource_types.ts';
import type { Subscription } from './subscription.ts';

export interface InProcessServer {
  /** The cluster in whose place it answers. */
  readonly cluster: string;
  /** Nothing is sent before the call stack unwinds. */
  subscribe(type: ResourceType, names: ReadonlySet<string> | undefined, watch: ConfigWatch): Subscription;
  /** For a connection to a control plane, which needs it before there is any configuration. Undefined when there is no such name. */
  secret(name: string): Secret | 'pending' | undefined;
}
