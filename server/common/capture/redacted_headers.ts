// Headers and query parameters whose values let somebody in: they are seen to have been there, and nothing more.

const REDACTED = '[redacted]';

/** The usual names; what a service calls its own keys is told by a part of the name. */
const SENSITIVE = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-forwarded-client-cert',
  'www-authenticate',
  'proxy-authenticate',
  'authentication-info',
]);
const SENSITIVE_PART =
  /token|secret|passw|api-?_?key|credential|session|signature|jwt|assertion|x-amz-security/;
/** Parameters have shorter names: `code` and `state` of OAuth, `sig` of signed URLs. */
const SENSITIVE_PARAMETER = /^(?:code|state|key|sig|auth)$/;
/** Headers whose values are URLs or paths. */
const URLS = new Set(['referer', 'location', 'content-location', 'x-envoy-original-path', 'x-original-url']);

/** `name` in lower case. */
export function redactedValue(name: string, value: string): string {
  if (SENSITIVE.has(name) || SENSITIVE_PART.test(name)) return REDACTED;
  return URLS.has(name) ? redactedPath(value) : value;
}

/** A path or URL, without the values of such parameters. */
export function redactedPath(path: string): string {
  const query = path.indexOf('?') + 1;
  if (query === 0) return path;
  const parameters = path
    .slice(query)
    .split('&')
    .map((parameter) => {
      const name = parameter.slice(0, parameter.indexOf('=')).toLowerCase();
      if (!parameter.includes('=') || !(SENSITIVE_PART.test(name) || SENSITIVE_PARAMETER.test(name)))
        return parameter;
      return `${parameter.slice(0, name.length)}=${REDACTED}`;
    });
  return path.slice(0, query) + parameters.join('&');
}
