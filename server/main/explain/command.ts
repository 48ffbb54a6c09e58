// `pilotfish explain`: asks a running proxy what would happen to a request or connection, or walks a bootstrap or the /config_dump of
// any Envoy by itself. docs/explain.md.

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { ConfigError } from '../../api/config_error.ts';
import { nodeHttp } from '../../common/builtins.ts';
import { DescriptionError, type PostedConnection } from './description.ts';
import type { Explanation } from './explanation.ts';
import { explanationText } from './explanation_text.ts';
import { describeQuestion, type Question } from './question.ts';

const DEFAULT_ADMIN = '127.0.0.1:15000';
/** ms. */
const ADMIN_TIMEOUT_MS = 30_000;

const HELP = `pilotfish explain [where] [options] [curl] [options of curl] URL
pilotfish explain [where] --destination ADDRESS:PORT
pilotfish explain [where] --question FILE

Says what happens to a request or connection: the listener, filter chain, route, cluster and hosts
that it gets to, and why not to others.

  --admin HOST:PORT     ask a running proxy (default ${DEFAULT_ADMIN})
  --token-file FILE     the token for that
  -c FILE               or walk a bootstrap,
  --config-dump FILE    or the /config_dump of any Envoy (with ?include_eds for the hosts)

  --listener NAME       the listener that gets it
  --destination A:P     where the client connects to, where that is not the URL's
  --source A:P          the client
  --server-name NAME    SNI; the client speaks TLS
  --tls                 the client speaks TLS
  --direction D         of a redirected connection: outbound (default) or inbound
  --client-san URI      in the client's certificate
  --question FILE       the question as JSON, as for POST /explain; - is stdin
  --json                print the answer as JSON
`;

/** The flags that say what the connection is like. */
const CONNECTION_FLAGS = {
  '--listener': 'listener',
  '--destination': 'destination',
  '--source': 'source',
  '--server-name': 'server_name',
  '--direction': 'direction',
  '--client-san': 'client_san',
} as const;

interface Command {
  admin: string;
  tokenFile: string;
  bootstrap: string;
  configDump: string;
  question: string;
  json: boolean;
  help: boolean;
  readonly connection: Record<string, string | boolean>;
  /** The words of a line for curl. */
  curl: readonly string[];
}

/** The exit code. */
export async function explainCommand(args: readonly string[]): Promise<number> {
  try {
    const command = parse(args);
    if (command.help) {
      process.stdout.write(HELP);
      return 0;
    }
    const explanation = await answer(command, questionOf(command));
    const text = command.json ? `${JSON.stringify(explanation, null, 2)}\n` : explanationText(explanation);
    process.stdout.write(text);
    return 0;
  } catch (error) {
    if (!(error instanceof DescriptionError || error instanceof ConfigError)) throw error;
    console.error(`pilotfish explain: ${error.message}`);
    return 1;
  }
}

function parse(args: readonly string[]): Command {
  const command: Command = {
    admin: DEFAULT_ADMIN,
    tokenFile: '',
    bootstrap: '',
    configDump: '',
    question: '',
    json: false,
    help: false,
    connection: {},
    curl: [],
  };
  const queue = [...args];
  const value = (flag: string): string => {
    const next = queue.shift();
    if (next === undefined) throw new DescriptionError(`${flag} needs a value`);
    return next;
  };
  while (queue.length > 0) {
    const flag = queue.shift() as string;
    if (flag === '--admin') command.admin = value(flag);
    else if (flag === '--token-file') command.tokenFile = value(flag);
    else if (flag === '-c' || flag === '--config-path') command.bootstrap = value(flag);
    else if (flag === '--config-dump') command.configDump = value(flag);
    else if (flag === '--question') command.question = value(flag);
    else if (flag === '--json') command.json = true;
    else if (flag === '--tls') command.connection.tls = true;
    else if (flag === '--help' || flag === '-h') command.help = true;
    else if (flag in CONNECTION_FLAGS)
      command.connection[CONNECTION_FLAGS[flag as keyof typeof CONNECTION_FLAGS]] = value(flag);
    else {
      // From here on it is curl's.
      command.curl = flag === 'curl' ? queue.splice(0) : [flag, ...queue.splice(0)];
    }
  }
  return command;
}

function questionOf({ question, connection, curl }: Command): Question {
  if (question !== '') {
    const text = readText(question === '-' ? 0 : question);
    return parseJson(text, question) as Question;
  }
  const posted = connection as PostedConnection;
  if (curl.length === 0) return { connection: posted };
  const line = ['curl', ...curl].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return { curl: line, connection: posted };
}

async function answer(command: Command, question: Question): Promise<Explanation> {
  if (command.bootstrap === '' && command.configDump === '') return ask(command, question);
  const [{ explain }, { CompiledConfiguration }] = await Promise.all([
    import('./explain.ts'),
    import('./configuration.ts'),
  ]);
  return explain(new CompiledConfiguration(await source(command)), describeQuestion(question));
}

async function source({ bootstrap, configDump }: Command) {
  if (configDump !== '') {
    const { configDumpSource } = await import('./config_dump_source.ts');
    return configDumpSource(parseJson(readText(configDump), configDump));
  }
  const { bootstrapSource } = await import('./bootstrap_source.ts');
  return bootstrapSource(bootstrap);
}

function readText(file: string | 0): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new DescriptionError((error as Error).message);
  }
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new DescriptionError(`${file} is no JSON`);
  }
}

/** Throws DescriptionError with what the proxy says, or why it cannot be asked. */
async function ask({ admin, tokenFile }: Command, question: Question): Promise<Explanation> {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(admin);
  if (match === null) throw new DescriptionError(`--admin '${admin}' is not HOST:PORT`);
  const host = (match[1] ?? match[2]) as string;
  const authorization = tokenFile === '' ? {} : { authorization: `Bearer ${readText(tokenFile).trim()}` };
  const headers = { 'content-type': 'application/json', ...authorization };
  const target = {
    host,
    port: Number(match[3]),
    path: '/api/explain',
    method: 'POST',
    headers,
    family: isIP(host),
  };
  const { status, body } = await post(target, JSON.stringify(question), admin);
  const json = parseJson(body, `the answer of ${admin}`) as { readonly error?: string };
  if (status !== 200) throw new DescriptionError(`${admin} answers: ${json.error ?? status}`);
  return json as unknown as Explanation;
}

function post(
  target: object,
  sent: string,
  admin: string,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void =>
      reject(new DescriptionError(`${admin} cannot be asked: ${error.message}`));
    const request = nodeHttp().request({ ...target, timeout: ADMIN_TIMEOUT_MS }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', refuse);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', refuse);
    request.end(sent);
  });
}
