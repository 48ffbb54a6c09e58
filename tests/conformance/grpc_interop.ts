// The interop client and server of grpc-go, one process each:
// https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { CA, CERTIFICATE, PRIVATE_KEY, SERVER_NAME } from './proxied.ts';
import { INTEROP_CLIENT, INTEROP_SERVER } from './tools.ts';

/** ms for one case, start of the client included. */
const CASE_MS = 60_000;
const ENVIRONMENT = { ...process.env, GRPC_GO_LOG_SEVERITY_LEVEL: 'info' };

export const CASES: readonly string[] = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'unimplemented_method',
  'unimplemented_service',
  'rpc_soak',
];

const SOAK = ['--soak_iterations=1000', '--soak_max_failures=0', '--soak_overall_timeout_seconds=50'];

export class InteropServer {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Starts one on a free port. Throws with what it wrote when it ends before it listens. */
  static async start(tls: boolean): Promise<InteropServer> {
    const files = [`--tls_cert_file=${CERTIFICATE}`, `--tls_key_file=${PRIVATE_KEY}`];
    const flags = ['--port=0', ...(tls ? ['--use_tls', ...files] : [])];
    const child = spawn(INTEROP_SERVER, flags, { env: ENVIRONMENT, stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    for await (const line of createInterface({ input: child.stderr! })) {
      log += `${line}\n`;
      const listening = /listening on .*:(\d+)$/.exec(line);
      if (listening === null) continue;
      // It writes a line for every connection; nobody reads them, so they must not fill the pipe.
      child.stderr!.resume();
      return new InteropServer(child, Number(listening[1]));
    }
    throw new Error(`the interop server ended\n${log}`);
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill();
    await exited;
  }
}

/** One case of the client against a port. Rejects with what the client wrote when it fails. */
export function interopClient(name: string, port: number, tls: boolean): Promise<void> {
  const flags = [`--test_case=${name}`, '--server_host=127.0.0.1', `--server_port=${port}`];
  if (tls)
    flags.push('--use_tls', '--use_test_ca', `--ca_file=${CA}`, `--server_host_override=${SERVER_NAME}`);
  if (name === 'rpc_soak') flags.push(...SOAK);
  return new Promise((resolve, reject) => {
    execFile(INTEROP_CLIENT, flags, { timeout: CASE_MS, env: ENVIRONMENT }, (error, stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`${name}: exit ${error.code}\n${stdout}${stderr.slice(-4_000)}`));
    });
  });
}
