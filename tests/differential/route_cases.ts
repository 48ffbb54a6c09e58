// Random but repeatable route configurations (proto3 JSON) and requests with a small vocabulary, so that they often meet.

/** A small seeded generator (mulberry32). */
export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed;
  }
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  }
  chance(probability: number): boolean {
    return this.next() < probability;
  }
  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.next() * from.length)];
  }
  some<T>(from: readonly T[], most: number): T[] {
    return Array.from({ length: Math.floor(this.next() * (most + 1)) }, () => this.pick(from));
  }
}

const SEGMENTS = ['a', 'b', 'ab', 'A', 'v1', 'x.y', 'a%2Fb', 'é', 'a;p=1'];
const HOSTS = [
  'a.com',
  'www.a.com',
  'x-a.com',
  'A.com',
  'b.org',
  'b.net:8080',
  'a.com:81',
  'deep.www.a.com',
  '10.0.0.1',
  'c',
];
const DOMAINS = [
  'a.com',
  '*.a.com',
  '*-a.com',
  '*a.com',
  'www.a.com',
  'b.*',
  'b.net:*',
  'b.net:8080',
  'WWW.A.com',
  '*.www.a.com',
  '10.0.0.1',
  'c',
  '*.com',
];
const HEADER_NAMES = ['x-one', 'x-two', 'x-num', ':method', ':authority', ':path', 'x-absent', 'host'];
const VALUES = ['', '1', '15', '-3', 'abc', 'ABC', 'abcdef', 'GET', 'a.com', 'a,b', ' 7'];
const REGEXES = [
  '.*',
  'a.*',
  '[a-z]+',
  '\\d+',
  '(?i)abc',
  '/a.*',
  '/(a|b)/.*',
  '/v\\d(/.*)?',
  'a|b',
  '^abc$',
  '[[:alpha:]]*',
  '/[^/]+',
  '.*\\.y',
];
const CLUSTERS = ['one', 'two', 'three'];

export interface RequestCase {
  readonly method: string;
  readonly path: string;
  /** name, value, name, value… without host */
  readonly headers: readonly string[];
  readonly host: string;
}

function segments(random: Random, most: number): string {
  return random.some(SEGMENTS, most).join('/');
}

export function generateRequest(random: Random): RequestCase {
  let path = `/${segments(random, 3)}`;
  if (random.chance(0.2)) path += '/';
  path = path.replaceAll('é', '%C3%A9');
  if (random.chance(0.5))
    path += `?${random.some(['k', 'k=', 'k=1', 'k=abc', 'j=2', 'k=a%20b', '=x', 'K=1'], 3).join('&')}`;
  const headers: string[] = [];
  for (const name of random.some(['x-one', 'x-two', 'X-One', 'x-env'], 3))
    headers.push(name, random.pick(VALUES));
  // Always there and always one number: without it weighted clusters would be drawn by lot.
  headers.push('x-num', random.pick(['0', '9', '15', '1001', '123456789012345678']));
  if (random.chance(0.2))
    headers.push('cookie', random.pick(['a=1', 'b=abc; a=15', 'A=abc', 'a=; b=ABC', 'b']));
  if (random.chance(0.1))
    headers.push(
      'content-type',
      random.pick(['application/grpc', 'application/grpc+proto', 'application/grpcx', 'text/plain']),
    );
  return { method: random.pick(['GET', 'GET', 'POST', 'DELETE']), path, headers, host: random.pick(HOSTS) };
}

function stringMatcher(random: Random): object {
  const ignore_case = random.chance(0.3) || undefined;
  switch (Math.floor(random.next() * 5)) {
    case 0:
      return { exact: random.pick(VALUES), ignore_case };
    case 1:
      return { prefix: random.pick(['a', 'A', '1', '/a', '-']), ignore_case };
    case 2:
      return { suffix: random.pick(['c', 'F', 'com', '5']), ignore_case };
    case 3:
      return { contains: random.pick(['b', 'BC', ',', '.']), ignore_case };
    default:
      return { safe_regex: { regex: random.pick(REGEXES) } };
  }
}

function headerMatcher(random: Random): object {
  const common = {
    name: random.pick(HEADER_NAMES),
    invert_match: random.chance(0.3) || undefined,
    treat_missing_header_as_empty: random.chance(0.25) || undefined,
  };
  switch (Math.floor(random.next() * 5)) {
    case 0:
      return { ...common, range_match: { start: random.pick([-5, 0, 1]), end: random.pick([2, 15, 16]) } };
    case 1:
      return { ...common, present_match: random.chance(0.6) };
    case 2:
      return common;
    default:
      return { ...common, string_match: stringMatcher(random) };
  }
}

function routeMatch(random: Random): { match: Record<string, unknown>; template: boolean } {
  const match: Record<string, unknown> = {};
  const path = `/${segments(random, 2)}`;
  let template = false;
  switch (Math.floor(random.next() * 7)) {
    case 0:
      match.path = path;
      break;
    case 1:
      match.safe_regex = {
        regex: random.pick([
          '/.*',
          '/a.*',
          '/(a|b)(/.*)?',
          '/[^/]+',
          '/[^/]*/.*',
          '/v\\d+',
          '(?i)/A.*',
          '/a/(b|ab)',
          '^/a.*$',
          '/ab?/?.*',
        ]),
      };
      break;
    case 2:
      match.path_separated_prefix = random.pick(['/a', '/b', '/a/b', '/ab', '/A']);
      break;
    case 3:
      template = true;
      match.path_match_policy = {
        name: 'envoy.path.match.uri_template.uri_template_matcher',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig',
          path_template: random.pick([
            '/{x}/{y}',
            '/{x}/*/{y}',
            '/a/{y}/{x=**}',
            '/{x=a/*}/{y}',
            '/{x}/{y=**}',
            '/{x}/{y}.y',
          ]),
        },
      };
      break;
    default:
      match.prefix = random.pick(['/', '/a', '/b', '/a/', '/ab', '/A', path, '']);
  }
  if (random.chance(0.2)) match.case_sensitive = random.chance(0.3);
  if (random.chance(0.4))
    match.headers = [headerMatcher(random), ...(random.chance(0.2) ? [headerMatcher(random)] : [])];
  if (random.chance(0.25)) {
    const test = random.pick([
      {},
      { present_match: true },
      { present_match: false },
      { string_match: stringMatcher(random) },
    ]);
    match.query_parameters = [{ name: random.pick(['k', 'j', 'K']), ...test }];
  }
  if (random.chance(0.1)) {
    const cookie = { name: random.pick(['a', 'b', 'A']), string_match: stringMatcher(random) };
    match.cookies = [{ ...cookie, invert_match: random.chance(0.3) || undefined }];
  }
  if (random.chance(0.1)) match.grpc = {};
  if (random.chance(0.1))
    match.runtime_fraction = { default_value: { numerator: random.pick([0, 100]), denominator: 'HUNDRED' } };
  return { match, template };
}

function mutations(random: Random, level: string): object {
  const option = (): object => ({
    header: {
      key: random.pick(['x-one', 'x-two', 'X-New', `x-${level}`]),
      value: random.pick([
        level,
        '',
        'a%%b',
        '%REQ(x-one)%',
        `${level}-%REQ(x-absent?x-two)%`,
        '%REQ(x-absent)%',
        '%PROTOCOL%',
        '%REQ(:path)%',
      ]),
    },
    append_action: random.pick([
      'APPEND_IF_EXISTS_OR_ADD',
      'ADD_IF_ABSENT',
      'OVERWRITE_IF_EXISTS_OR_ADD',
      'OVERWRITE_IF_EXISTS',
    ]),
    keep_empty_value: random.chance(0.3) || undefined,
  });
  const result: Record<string, unknown> = {};
  if (random.chance(0.3)) result.request_headers_to_add = [option(), option()];
  if (random.chance(0.2)) result.request_headers_to_remove = [random.pick(['x-one', 'X-Two'])];
  if (random.chance(0.3)) result.response_headers_to_add = [option(), option()];
  if (random.chance(0.2)) result.response_headers_to_remove = [random.pick(['x-echo', 'x-gone'])];
  return result;
}

const REGEX_REWRITES = [
  { pattern: { regex: '/(\\w+)' }, substitution: '/(\\1)' },
  { pattern: { regex: '^/([^/]*)/(.*)$' }, substitution: '/\\2/\\1' },
  { pattern: { regex: 'b*' }, substitution: '/' },
  { pattern: { regex: 'a' }, substitution: '\\0\\0' },
  { pattern: { regex: '(a)(b)?' }, substitution: '[\\2\\1\\\\]' },
];

function clusterAction(random: Random, template: boolean): Record<string, unknown> {
  const action: Record<string, unknown> = { timeout: '5s' };
  switch (Math.floor(random.next() * 4)) {
    case 0:
      action.cluster_header = random.pick(['x-one', 'x-cluster']);
      action.cluster_not_found_response_code = random.pick([
        'SERVICE_UNAVAILABLE',
        'NOT_FOUND',
        'INTERNAL_SERVER_ERROR',
      ]);
      break;
    case 1:
      action.weighted_clusters = {
        header_name: 'x-num',
        clusters: CLUSTERS.map((name, i) => ({
          name,
          weight: i === 2 ? 1000 : i * 10,
          ...mutations(random, name),
          host_rewrite_literal: random.chance(0.3) ? `${name}.weighted` : undefined,
        })),
      };
      break;
    default:
      action.cluster = random.pick(CLUSTERS);
  }
  const rewrite = random.next();
  if (template && rewrite < 0.5) {
    action.path_rewrite_policy = {
      name: 'envoy.path.rewrite.uri_template.uri_template_rewriter',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig',
        path_template_rewrite: random.pick(['/{y}/{x}', '/new/{x}', '/{x}.{y}']),
      },
    };
  } else if (!template && rewrite < 0.25)
    action.prefix_rewrite = random.pick(['/', '/new', '/new/', '/x', '/a?q=1']);
  else if (rewrite < 0.5) action.regex_rewrite = random.pick(REGEX_REWRITES);
  const host = random.next();
  if (host < 0.15) action.host_rewrite_literal = 'rewritten.host';
  else if (host < 0.3) action.host_rewrite_header = random.pick(['x-one', 'x-absent']);
  else if (host < 0.4) {
    action.host_rewrite_path_regex = { pattern: { regex: '^/([^/]+).*$' }, substitution: '\\1.regex' };
  }
  if (random.chance(0.4)) action.append_x_forwarded_host = true;
  return action;
}

function redirectAction(random: Random): Record<string, unknown> {
  const redirect: Record<string, unknown> = {};
  if (random.chance(0.4)) redirect.host_redirect = random.pick(['new.host', 'new.host:90']);
  if (random.chance(0.3)) redirect.port_redirect = 8443;
  if (random.chance(0.3)) redirect.https_redirect = true;
  else if (random.chance(0.2)) redirect.scheme_redirect = 'wss';
  const path = random.next();
  if (path < 0.25) redirect.path_redirect = random.pick(['/new', '/new?x=1', 'new']);
  else if (path < 0.5) redirect.prefix_rewrite = random.pick(['/new', '/', 'p']);
  else if (path < 0.75) redirect.regex_rewrite = random.pick(REGEX_REWRITES);
  if (random.chance(0.3)) redirect.strip_query = true;
  if (random.chance(0.5))
    redirect.response_code = random.pick(['FOUND', 'SEE_OTHER', 'TEMPORARY_REDIRECT', 'PERMANENT_REDIRECT']);
  return redirect;
}

/** One of many that have one path and differ in a header: what an index tells apart otherwise than others. */
function tenantMatch(random: Random, path: string): Record<string, unknown> {
  const header = { name: 'x-one', string_match: { exact: random.pick(VALUES) } };
  return { prefix: path, headers: random.chance(0.9) ? [header] : [headerMatcher(random)] };
}

function route(random: Random, name: string, tenantsOf?: string): object {
  const { match, template } =
    tenantsOf !== undefined && random.chance(0.8)
      ? { match: tenantMatch(random, tenantsOf), template: false }
      : routeMatch(random);
  const added = mutations(random, 'route') as { response_headers_to_add?: object[] };
  const named = { header: { key: 'x-route', value: name } };
  const common = {
    name,
    match,
    ...added,
    response_headers_to_add: [...(added.response_headers_to_add ?? []), named],
  };
  const kind = random.next();
  if (kind < 0.2 && !template) return { ...common, redirect: redirectAction(random) };
  if (kind < 0.4) {
    return {
      ...common,
      direct_response: {
        status: random.pick([200, 201, 404, 418, 503]),
        body: { inline_string: `body of ${name}` },
      },
    };
  }
  return { ...common, route: clusterAction(random, template) };
}

/** A configuration with a few virtual hosts, the last of them for all domains in most cases. */
export function generateRouteConfiguration(random: Random, name: string): object {
  const free = new Map(DOMAINS.map((domain) => [domain.toLowerCase(), domain]));
  const hosts: object[] = [];
  const count = 1 + Math.floor(random.next() * 3);
  for (let i = 0; i < count; i++) {
    const domains = random.some([...free.keys()], 3).filter((domain) => free.delete(domain));
    if (i === count - 1 && (domains.length === 0 || random.chance(0.8))) domains.push('*');
    if (domains.length === 0) continue;
    // Often enough routes for the index of a long list.
    const routes = random.pick([5, 5, 5, 24, 24, 80]);
    const tenantsOf = random.chance(0.25) ? random.pick(['/', '/a', '/A/']) : undefined;
    hosts.push({
      name: `${name}-${i}`,
      domains,
      routes: Array.from({ length: routes }, (_, n) => route(random, `${i}.${n}`, tenantsOf)),
      require_tls: random.chance(0.05) ? 'ALL' : undefined,
      ...mutations(random, 'vhost'),
    });
  }
  return {
    name,
    virtual_hosts: hosts,
    ignore_port_in_host_matching: random.chance(0.3),
    ignore_path_parameters_in_path_matching: random.chance(0.3),
    most_specific_header_mutations_wins: random.chance(0.5),
    ...mutations(random, 'global'),
  };
}
