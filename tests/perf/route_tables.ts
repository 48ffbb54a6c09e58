// Long route tables as users have them, and the requests that reach each of their routes. A short table is the beginning of a long one.

/** A request, and the route that it must reach. */
export interface TableRequest {
  readonly host: string;
  readonly path: string;
  /** name, value, name, value */
  readonly headers: readonly string[];
  readonly route: string;
}

export interface RouteTable {
  /** RouteConfiguration, proto3 JSON. */
  readonly config: object;
  readonly requests: readonly TableRequest[];
}

/** By turns: an exact path, a prefix, a path_separated_prefix, a header, a regular expression, any case. */
const KINDS = 6;

/** One virtual host with so many routes of all kinds; all lead to `cluster`. */
export function mixedRoutes(count: number, cluster: string): RouteTable {
  const routes: object[] = [];
  const requests: TableRequest[] = [];
  for (let i = 0; i < count; i++) {
    const { match, path, headers = [] } = oneOfEachKind(i);
    const name = `route-${i}`;
    routes.push({ name, match, route: { cluster } });
    requests.push({ host: 'shop.example.com', path, headers, route: name });
  }
  return { config: { name: 'long', virtual_hosts: [{ name: 'all', domains: ['*'], routes }] }, requests };
}

function oneOfEachKind(i: number): { match: object; path: string; headers?: string[] } {
  const service = `/shop.v${i % 7}.Service${i}`;
  switch (i % KINDS) {
    case 0:
      return { match: { path: `${service}/List` }, path: `${service}/List` };
    case 1:
      return { match: { prefix: `${service}/` }, path: `${service}/a/b` };
    case 2:
      return { match: { path_separated_prefix: service }, path: `${service}/items?page=2` };
    case 3: {
      const header = { name: 'x-tenant', string_match: { exact: `tenant-${i}` } };
      return {
        match: { prefix: '/tenant', headers: [header] },
        path: '/tenant/of/many',
        headers: ['x-tenant', `tenant-${i}`],
      };
    }
    case 4:
      return {
        match: { safe_regex: { regex: `${service.replaceAll('.', '\\.')}/\\d+/.*` } },
        path: `${service}/4711/x`,
      };
    default:
      return { match: { prefix: `${service}/`, case_sensitive: false }, path: `${service.toUpperCase()}/a` };
  }
}

/** So many virtual hosts: a third of them exact, a third for all hosts with an ending, a third for all with a beginning. */
export function manyHosts(count: number, cluster: string): RouteTable {
  const requests: TableRequest[] = [];
  const virtual_hosts = Array.from({ length: count }, (_, i) => {
    const name = `host-${i}`;
    const [domain, host] = [
      [`shop-${i}.example.com`, `shop-${i}.example.com`],
      [`*.tenant-${i}.example.com`, `www.tenant-${i}.example.com`],
      [`service-${i}.*`, `service-${i}.default.svc.cluster.local`],
    ][i % 3];
    requests.push({ host, path: '/', headers: [], route: name });
    return { name, domains: [domain], routes: [{ name, match: { prefix: '/' }, route: { cluster } }] };
  });
  return { config: { name: 'many', virtual_hosts }, requests };
}
