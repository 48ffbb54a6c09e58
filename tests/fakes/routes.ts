// Route configurations and requests for tests of routing: compiled with the extensions that routes name.

import type { FactoryContext } from '../../server/api/registry.ts';
import type { RouteConfig } from '../../server/api/router.ts';
import type { StreamInfo } from '../../server/api/stream_info.ts';
import { RequestHeaders } from '../../server/common/http/header_map.ts';
import { ExtensionRegistry } from '../../server/common/registry.ts';
import { compileRouteConfiguration } from '../../server/common/router/route_config.ts';
import { ConnectionInfoRecord, StreamInfoRecord } from '../../server/common/stream_info/stream_info.ts';
import { ALL_EXTENSIONS } from '../../server/extensions/all_extensions.ts';
import { fromJson } from '../../xds-protos/json.ts';
import { fakeFactoryContext } from './factory_context.ts';

/** A context with every extension. */
export function routeContext(overrides: Partial<FactoryContext> = {}): FactoryContext {
  return fakeFactoryContext({ registry: new ExtensionRegistry(ALL_EXTENSIONS), ...overrides });
}

/** Compiles proto3 JSON. */
export function compileJson(json: object, context: FactoryContext = routeContext()): RouteConfig {
  return compileRouteConfiguration(fromJson('envoy.config.route.v3.RouteConfiguration', json), context, '');
}

/** One virtual host for all domains with these routes (JSON). */
export function withRoutes(routes: readonly object[], virtualHost: object = {}, config: object = {}): object {
  return { name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], routes, ...virtualHost }], ...config };
}

/** A request as the connection manager hands it to the router. `list` is name, value, name, value… */
export function request(
  path: string,
  list: string[] = [],
  host = 'example.com',
  method = 'GET',
): RequestHeaders {
  const headers = new RequestHeaders(method, path, host, 'http', ['x-forwarded-proto', 'http']);
  for (let i = 0; i < list.length; i += 2) headers.append(list[i], list[i + 1]);
  return headers;
}

const CLIENT = { ip: '10.1.2.3', port: 4000, text: '10.1.2.3:4000' };
const LOCAL = { ip: '127.0.0.1', port: 80, text: '127.0.0.1:80' };

export function streamInfo(): StreamInfo {
  return new StreamInfoRecord(new ConnectionInfoRecord(1, CLIENT, LOCAL, 'listener'), 0, 0);
}
