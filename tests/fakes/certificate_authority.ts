// A CA of a mesh, with openssl behind it: it signs requests that are not ours to trust, for lifetimes of seconds.

import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const CONFIGURATION = `
[ca]
default_ca = mesh
[mesh]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = anything
[anything]
organizationName = optional
`;

export interface SigningOptions {
  /** Seconds after now. A CA sets the clock back a little. */
  readonly from?: number;
  readonly to?: number;
  /** Makes a CA of it, which no workload is. */
  readonly isCa?: boolean;
}

export class CertificateAuthority {
  readonly rootPem: string;
  readonly #directory = mkdtempSync(path.join(os.tmpdir(), 'mesh-ca-'));
  #issued = 0;
  #signing: Promise<unknown> = Promise.resolve();

  constructor(organization = 'cluster.local') {
    writeFileSync(this.#file('ca.cnf'), CONFIGURATION);
    writeFileSync(this.#file('index.txt'), '');
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', ...NEW_KEY, '-keyout', 'root.key', '-out', 'root.pem', '-days', '3650'],
        ...['-subj', `/O=${organization}`, '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
      ],
      { cwd: this.#directory, stdio: 'pipe' },
    );
    this.rootPem = readFileSync(this.#file('root.pem'), 'utf8');
  }

  /** Signs as istiod does: the request's own names do not count, the subject stays empty. Rejects for a request that is not signed by its key. */
  async sign(
    requestPem: string,
    subjectAltName: string,
    { from = -120, to = 3600, isCa = false }: SigningOptions = {},
  ): Promise<string> {
    const name = `${++this.#issued}`;
    writeFileSync(this.#file(`${name}.csr`), requestPem);
    writeFileSync(
      this.#file(`${name}.ext`),
      `subjectAltName=critical,${subjectAltName}\nbasicConstraints=critical,CA:${isCa ? 'TRUE' : 'FALSE'}\n` +
        `keyUsage=critical,digitalSignature,${isCa ? 'keyCertSign' : 'keyEncipherment'}\n` +
        'extendedKeyUsage=serverAuth,clientAuth\n',
    );
    // Its database is a file: one signature at a time.
    this.#signing = this.#signing.then(() =>
      run(
        'openssl',
        [
          ...['ca', '-config', 'ca.cnf', '-batch', '-notext', '-cert', 'root.pem', '-keyfile', 'root.key'],
          ...['-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', `${name}.ext`],
          ...['-startdate', dateOf(from), '-enddate', dateOf(to)],
        ],
        { cwd: this.#directory },
      ),
    );
    await this.#signing;
    return readFileSync(this.#file(`${name}.pem`), 'utf8');
  }

  /** A key and its certificate, for a server of the test. */
  async issue(subjectAltName: string): Promise<{ key: string; certificate: string }> {
    const keyFile = `${++this.#issued}.key`;
    const request = await run('openssl', ['req', '-new', ...NEW_KEY, '-keyout', keyFile, '-subj', '/'], {
      cwd: this.#directory,
    });
    const key = readFileSync(this.#file(keyFile), 'utf8');
    return { key, certificate: await this.sign(request.stdout, subjectAltName) };
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #file(name: string): string {
    return path.join(this.#directory, name);
  }
}

/** YYYYMMDDHHMMSSZ. */
function dateOf(seconds: number): string {
  const iso = new Date(Date.now() + seconds * 1000).toISOString();
  return `${iso.slice(0, 19).replace(/\D/g, '')}Z`;
}
