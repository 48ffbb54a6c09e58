// Reads a line that somebody would give to curl: words as a POSIX shell splits them, and the options that say what is sent where.
// https://curl.se/docs/manpage.html

import { isIP } from 'node:net';
import { DescriptionError, type PostedConnection, type PostedRequest } from './description.ts';

interface Described {
  readonly request: PostedRequest;
  readonly connection: PostedConnection;
}

/** Options with a value that does not matter here. */
const IGNORED_VALUES = new Set(
  '-o --output -m --max-time --connect-timeout -w --write-out -c --cookie-jar --cacert --capath --cert -E --key --cert-type --key-type --ciphers --retry --retry-delay --retry-max-time -x --proxy -K --config -D --dump-header --limit-rate -z --time-cond --interface --local-port --keepalive-time -T --upload-file -Y --speed-limit -y --speed-time --trace --trace-ascii --stderr --max-redirs --noproxy --dns-servers --unix-socket --pass'.split(
    ' ',
  ),
);
const DATA = new Set(['-d', '--data', '--data-raw', '--data-binary', '--data-ascii', '--data-urlencode', '--json', '-F', '--form', '--form-string']); // biome-ignore format: a list
/** Letters that take a value, in a cluster such as `-sXPOST`. */
const SHORT_WITH_VALUE = 'XHdAbeuFomwcExKDzTYyC';

/** Throws DescriptionError for what is no line of curl. */
export function describeCurl(line: string): Described {
  const words = shellWords(line);
  if (words[0] === '$') words.shift();
  if (words[0] !== 'curl') throw new DescriptionError("a line for curl begins with 'curl'");
  const state = new CurlState();
  const queue = words.slice(1).flatMap(separated);
  while (queue.length > 0) state.take(queue);
  return state.described();
}

class CurlState {
  #method = '';
  #url = '';
  #hasBody = false;
  #head = false;
  #get = false;
  #data: string[] = [];
  #type = '';
  #destination = '';
  #resolved = new Map<string, string>();
  #protocol: PostedConnection['protocol'];
  readonly #headers: [string, string][] = [];

  take(queue: string[]): void {
    const option = queue.shift() as string;
    const value = (): string => {
      const next = queue.shift();
      if (next === undefined) throw new DescriptionError(`${option} needs a value`);
      return next;
    };
    if (!option.startsWith('-') || option === '-') this.#url ||= option;
    else if (option === '--url') this.#url ||= value();
    else if (option === '-X' || option === '--request') this.#method = value();
    else if (option === '-H' || option === '--header') this.#header(value());
    else if (option === '-A' || option === '--user-agent') this.#headers.push(['user-agent', value()]);
    else if (option === '-b' || option === '--cookie') this.#headers.push(['cookie', value()]);
    else if (option === '-e' || option === '--referer') this.#headers.push(['referer', value()]);
    else if (option === '-u' || option === '--user')
      this.#headers.push(['authorization', `Basic ${Buffer.from(value()).toString('base64')}`]);
    else if (option === '--oauth2-bearer') this.#headers.push(['authorization', `Bearer ${value()}`]);
    else if (option === '--compressed') this.#headers.push(['accept-encoding', 'deflate, gzip, br, zstd']);
    else if (option === '-I' || option === '--head') this.#head = true;
    else if (option === '-G' || option === '--get') this.#get = true;
    else if (option === '--http1.0' || option === '-0') this.#protocol = 'HTTP/1.0';
    else if (option === '--http2' || option === '--http2-prior-knowledge') this.#protocol = 'HTTP/2';
    else if (option === '--connect-to') this.#connectTo(value());
    else if (option === '--resolve') this.#resolve(value());
    else if (DATA.has(option)) this.#body(option, value());
    else if (IGNORED_VALUES.has(option)) value();
  }

  #header(text: string): void {
    const colon = text.indexOf(':');
    if (colon > 0)
      this.#headers.push([text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim()]);
  }

  #body(option: string, data: string): void {
    this.#hasBody = true;
    this.#data.push(data);
    if (option === '--json') {
      this.#type = 'application/json';
      this.#headers.push(['accept', 'application/json']);
    } else if (option.startsWith('-F') || option.startsWith('--form')) this.#type = 'multipart/form-data';
    else this.#type ||= 'application/x-www-form-urlencoded';
  }

  /** HOST1:PORT1:HOST2:PORT2 */
  #connectTo(text: string): void {
    const match = /:([^:[\]]+|\[[^\]]*\]):(\d+)$/.exec(text);
    if (match !== null && isIP(match[1]!.replace(/^\[|\]$/g, '')) !== 0)
      this.#destination = `${match[1]}:${match[2]}`;
  }

  /** HOST:PORT:ADDRESS */
  #resolve(text: string): void {
    const match = /^([^:]+:\d+):(.+)$/.exec(text);
    if (match !== null) this.#resolved.set(match[1]!, match[2]!.split(',')[0]!.replace(/^\[|\]$/g, ''));
  }

  described(): Described {
    if (this.#url === '') throw new DescriptionError('there is no URL in the line');
    let url = this.#url;
    if (this.#get && this.#data.length > 0) url += `${url.includes('?') ? '&' : '?'}${this.#data.join('&')}`;
    const headers: Record<string, string[]> = {};
    const add = (name: string, value: string): void => {
      (headers[name] ??= []).push(value);
    };
    for (const [name, value] of this.#headers) if (value !== '') add(name, value);
    // What curl says by itself.
    const removed = new Set(this.#headers.filter(([, value]) => value === '').map(([name]) => name));
    const unsaid = (name: string, value: string): void => {
      if (headers[name] === undefined && !removed.has(name)) add(name, value);
    };
    unsaid('user-agent', 'curl/8.14.1');
    unsaid('accept', '*/*');
    if (this.#hasBody && !this.#get) unsaid('content-type', this.#type);
    const method = this.#method || (this.#head ? 'HEAD' : this.#hasBody && !this.#get ? 'POST' : 'GET');
    const destination = this.#destination || this.#resolvedAddress(url);
    return {
      request: { method, url, headers },
      connection: {
        ...(destination !== '' && { destination }),
        ...(this.#protocol !== undefined && { protocol: this.#protocol }),
      },
    };
  }

  #resolvedAddress(text: string): string {
    const url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`);
    const port = url.port || (url.protocol === 'https:' ? '443' : '80');
    const ip = this.#resolved.get(`${url.hostname}:${port}`) ?? '';
    if (isIP(ip) === 0) return '';
    return isIP(ip) === 6 ? `[${ip}]:${port}` : `${ip}:${port}`;
  }
}

/** `-sXPOST` as `-s -X POST`, `--header=x` as `--header x`. */
function separated(word: string): string[] {
  const long = /^(--[\w.-]+)=(.*)$/s.exec(word);
  if (long !== null) return [long[1]!, long[2]!];
  if (!/^-[A-Za-z0-9#]./.test(word) || word.startsWith('--')) return [word];
  const parts: string[] = [];
  for (let i = 1; i < word.length; i++) {
    parts.push(`-${word[i]}`);
    if (SHORT_WITH_VALUE.includes(word[i] as string)) {
      if (i + 1 < word.length) parts.push(word.slice(i + 1));
      break;
    }
  }
  return parts;
}

/** The words of a line as a shell has them: quotes, escapes, lines that go on after a backslash. Nothing is expanded. */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const character = line[i] as string;
    if (quote === "'") {
      if (character === "'") quote = '';
      else word += character;
    } else if (quote === '$') {
      // $'...', as browsers copy requests: escapes as in C.
      if (character === "'") quote = '';
      else if (character === '\\') [word, i] = ansiEscape(line, i + 1, word as string);
      else word += character;
    } else if (character === '\\') {
      const next = line[++i] ?? '';
      if (next === '\r' && line[i + 1] === '\n') i++;
      else if (next !== '\n')
        word = (word ?? '') + (quote === '"' && !'"\\$`'.includes(next) ? `\\${next}` : next);
    } else if (quote === '"') {
      if (character === '"') quote = '';
      else word += character;
    } else if (character === '$' && line[i + 1] === "'") {
      quote = '$';
      word ??= '';
      i++;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (quote !== '') throw new DescriptionError('a quote is not closed');
  if (word !== undefined) words.push(word);
  return words;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  "'": "'",
  '"': '"',
  '\\': '\\',
};

function ansiEscape(line: string, at: number, word: string): [string, number] {
  const code = /^(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4}))/.exec(line.slice(at, at + 5));
  if (code !== null)
    return [
      word + String.fromCharCode(Number.parseInt((code[1] ?? code[2]) as string, 16)),
      at + code[0].length - 1,
    ];
  const character = line[at] ?? '';
  return [word + (ESCAPES[character] ?? `\\${character}`), at];
}
