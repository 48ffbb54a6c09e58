// Paths and hosts put into the form that routes expect: RFC 3986 normalization, merged slashes, unescaped slashes, hosts without port
// or trailing dot. Envoy: source/common/http/path_utility.cc, header_utility.cc; normalization as googleurl's CanonicalizePath.

/** HttpConnectionManager.PathWithEscapedSlashesAction, as it comes out after the default has been decided. */
export type EscapedSlashesAction =
  | 'KEEP_UNCHANGED'
  | 'REJECT_REQUEST'
  | 'UNESCAPE_AND_REDIRECT'
  | 'UNESCAPE_AND_FORWARD';

export interface PathNormalization {
  readonly escapedSlashes: EscapedSlashesAction;
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
}

/** `path` is where to go on (or to send the client for a redirect); undefined: answer 400. */
export interface NormalizedPath {
  readonly path: string | undefined;
  readonly redirect: boolean;
  /** What the log shows of a refused path: escaped slashes are not to hide what was asked for. */
  readonly refused?: string;
}

/** True also for a fragment, which is refused whatever is configured: it could hide from a route what an upstream sees. */
export function needsNormalization(path: string, options: PathNormalization | undefined): boolean {
  return path !== '' && (options !== undefined || path.includes('#'));
}

/** The steps in Envoy's order: fragments, escaped slashes, normalization, merging. */
export function normalizeRequestPath(path: string, options: PathNormalization | undefined): NormalizedPath {
  // Source: runtime guard envoy.reloadable_features.http_reject_path_with_fragment, on by default.
  if (path.includes('#')) return { path: undefined, redirect: false };
  if (options === undefined) return { path, redirect: false };
  let result: string | undefined = path;
  let redirect = false;
  if (options.escapedSlashes !== 'KEEP_UNCHANGED') {
    const unescaped = unescapeSlashes(path);
    if (unescaped !== path) {
      if (options.escapedSlashes === 'REJECT_REQUEST')
        return { path: undefined, redirect: false, refused: unescaped };
      redirect = options.escapedSlashes === 'UNESCAPE_AND_REDIRECT';
      result = unescaped;
    }
  }
  if (options.normalizePath) result = canonicalPath(result);
  if (result !== undefined && options.mergeSlashes) result = mergeSlashes(result);
  return { path: result, redirect: redirect && result !== undefined };
}

function splitQuery(path: string): [string, string] {
  const query = path.indexOf('?');
  return query < 0 ? [path, ''] : [path.slice(0, query), path.slice(query)];
}

/** `%2F` becomes `/` and `%5C` becomes `\`, before the query. */
export function unescapeSlashes(path: string): string {
  if (!path.includes('%')) return path;
  const [before, query] = splitQuery(path);
  return before.replace(/%2f/gi, '/').replace(/%5c/gi, '\\') + query;
}

/** Runs of slashes become one, before the query. */
export function mergeSlashes(path: string): string {
  if (!path.includes('//')) return path;
  const [before, query] = splitQuery(path);
  // Nothing but slashes stays two of them, in Envoy too.
  return (/^\/+$/.test(before) ? '//' : before.replace(/\/{2,}/g, '/')) + query;
}

// Nothing in it that normalization would touch: the common case costs one scan.
const PLAIN = /^\/(?:[0-9A-Za-z\-_~!$&'()*+,;=:@/]|(?<!\/)\.)*$/;

/** The path as googleurl writes it, the query untouched; undefined when it cannot be one. */
export function canonicalPath(path: string): string | undefined {
  const [before, query] = splitQuery(path);
  if (PLAIN.test(before)) return path;
  const canonical = canonicalize(before);
  return canonical === undefined ? undefined : canonical + query;
}

function canonicalize(path: string): string | undefined {
  if (!path.startsWith('/') || /[\x00]|%00/.test(path)) return undefined;
  // Some servers take `..;x` for `..`, so it is one here, too.
  const dots = path.replace(/(?<=\/)(\.\.?);[^/]*/g, '$1');
  const decoded = decodeUnreserved(dots.replaceAll('\\', '/'));
  const output: string[] = [];
  const segments = decoded.split('/');
  const last = segments.length - 1;
  for (let i = 1; i <= last; i++) {
    const segment = segments[i];
    if (segment === '.' || segment === '..') {
      if (segment === '..') output.pop();
      if (i === last) output.push('');
    } else output.push(segment);
  }
  return `/${output.join('/')}`;
}

/** Escapes of letters, digits and `-._~` are undone, other bytes beyond ASCII and a few signs are escaped. */
function decodeUnreserved(path: string): string {
  return path
    .replace(/%([0-9A-Fa-f]{2})/g, (escaped, hex: string) => {
      const char = String.fromCharCode(Number.parseInt(hex, 16));
      return /[0-9A-Za-z\-._~]/.test(char) ? char : escaped;
    })
    .replace(
      /[\x01-\x20"<>^`{|}\x7f-\xff]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    );
}

/** Where `:port` begins in a host, or -1. Colons inside an IPv6 address in brackets do not count. */
export function getPortStart(host: string): number {
  const colon = host.lastIndexOf(':');
  return colon > host.lastIndexOf(']') ? colon : -1;
}

/** The host without its port; with `listenerPort`, only where it is that port (strip_matching_host_port). */
export function stripPort(host: string, listenerPort: number | undefined): string {
  const start = getPortStart(host);
  if (start < 0) return host;
  const port = host.slice(start + 1);
  if (!/^\d+$/.test(port) || (listenerPort !== undefined && Number(port) !== listenerPort)) return host;
  return host.slice(0, start);
}

/** The host without the dot that ends a fully qualified name, its port kept. */
export function stripTrailingHostDot(host: string): string {
  const start = getPortStart(host);
  const name = start < 0 ? host : host.slice(0, start);
  return name.endsWith('.') ? name.slice(0, -1) + host.slice(name.length) : host;
}
