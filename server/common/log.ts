// Application logging: a logger per Envoy component, each with its own level. A record goes to one sink per thread:
// on the main thread the log file or stderr, on a worker a message to the main thread.
// Envoy: source/common/common/logger.h.

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Names of Envoy's components in the order of /logging; those of code that is not ours are there for --component-log-level. */
export const LOGGER_NAMES = [
  'a2a', 'admin', 'ai_protocol_manager', 'alternate_protocols_cache', 'aws', 'assert', 'backtrace', 'basic_auth',
  'cache_filter', 'client', 'config', 'connection', 'conn_handler', 'compression', 'credential_injector',
  'decompression', 'dns', 'dubbo', 'envoy_bug', 'ext_authz', 'ext_proc', 'rocketmq', 'file', 'filter', 'forward_proxy',
  'geolocation', 'grpc', 'happy_eyeballs', 'hc', 'health_checker', 'http', 'http2', 'hystrix', 'init', 'io', 'jwt',
  'json_rpc', 'kafka', 'key_value_store', 'lua', 'local_rate_limit', 'main', 'matcher', 'mcp', 'misc', 'mongo',
  'multi_connection', 'notification', 'oauth2', 'quic', 'quic_stream', 'pool', 'rate_limit_quota', 'rbac', 'rds',
  'redis', 'router', 'runtime', 'stats', 'secret', 'sse', 'tap', 'testing', 'thrift', 'tracing', 'upstream', 'udp',
  'wasm', 'websocket', 'golang', 'stats_sinks', 'dynamic_modules', 'ip_tagging',
] as const; // biome-ignore format: seventy names, one a line, would fill two screens
export type LoggerName = (typeof LOGGER_NAMES)[number];

export interface LogRecord {
  readonly level: LogLevel;
  readonly logger: string;
  readonly text: string;
}

type Sink = (record: LogRecord) => void;

const severities = new Map<string, number>(LOG_LEVELS.map((level, index) => [level, index]));
severities.set('warn', LOG_LEVELS.indexOf('warning'));

/** The level of a name (`warn` is `warning`), or undefined when there is none. */
export function parseLogLevel(name: string): LogLevel | undefined {
  const severity = severities.get(name);
  return severity === undefined ? undefined : LOG_LEVELS[severity];
}

export class Logger {
  readonly name: LoggerName;
  #severity: number = LOG_LEVELS.indexOf('info');

  constructor(name: LoggerName) {
    this.name = name;
  }

  get level(): LogLevel {
    return LOG_LEVELS[this.#severity] as LogLevel;
  }
  set level(level: LogLevel) {
    this.#severity = LOG_LEVELS.indexOf(level);
  }

  /** Ask before building an expensive text. */
  enabled(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= this.#severity && level !== 'off';
  }

  log(level: LogLevel, text: string): void {
    if (this.enabled(level)) sink({ level, logger: this.name, text });
  }
  trace(text: string): void {
    this.log('trace', text);
  }
  debug(text: string): void {
    this.log('debug', text);
  }
  info(text: string): void {
    this.log('info', text);
  }
  warning(text: string): void {
    this.log('warning', text);
  }
  error(text: string): void {
    this.log('error', text);
  }
  critical(text: string): void {
    this.log('critical', text);
  }
}

const loggers = new Map<string, Logger>(LOGGER_NAMES.map((name) => [name, new Logger(name)]));
let sink: Sink = ({ level, logger, text }) => process.stderr.write(`[${level}][${logger}] ${text}\n`);

/** The logger of a component: one object per thread. */
export function logger(name: LoggerName): Logger {
  return loggers.get(name) as Logger;
}

/** All loggers in the order of /logging. */
export function allLoggers(): readonly Logger[] {
  return [...loggers.values()];
}

/** Sets one logger's level, or everyone's when `name` is undefined. False when there is no such logger. */
export function setLogLevel(name: string | undefined, level: LogLevel): boolean {
  if (name === undefined) {
    for (const each of loggers.values()) each.level = level;
    return true;
  }
  const found = loggers.get(name);
  if (found !== undefined) found.level = level;
  return found !== undefined;
}

/** Where this thread's records go from now on. */
export function setLogSink(to: Sink): void {
  sink = to;
}
