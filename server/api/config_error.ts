// The one error that configuration code throws: where in the resource, and why.
// It becomes a NACK's error_detail, the reason of `--mode validate`, or a line on stderr.

/** A configuration that cannot be honoured. `path` is the proto field path below the resource, e.g. `filter_chains[0].filters[1]`. */
export class ConfigError extends Error {
  readonly path: string;
  readonly reason: string;

  constructor(path: string, reason: string) {
    super(path === '' ? reason : `${path}: ${reason}`);
    this.name = 'ConfigError';
    this.path = path;
    this.reason = reason;
  }
}

/** Joins two parts of a field path: `at('a', 'b')` is `a.b`, `at('a', 3)` is `a[3]`, `at('', 'b')` is `b`. */
export function at(path: string, field: string | number): string {
  if (typeof field === 'number') return `${path}[${field}]`;
  return path === '' ? field : `${path}.${field}`;
}
