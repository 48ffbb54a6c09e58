// Authorities of one test and what they issue, by the `openssl` command: intermediates, revocation lists and OCSP responses, which node
// cannot make. Tests that use it skip where the command is missing.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** For the `skip` option of tests. */
export const NO_OPENSSL = spawnSync('openssl', ['version']).status !== 0 && 'no openssl command';

export interface LeafOptions {
  /** `/O=a/CN=b`, as openssl writes it; by default with its name. */
  readonly subject?: string;
  /** `DNS:a,URI:b`, as openssl writes it. */
  readonly names?: string;
  /** Further lines of its extensions. */
  readonly extensions?: readonly string[];
  readonly key?: 'ec' | 'rsa';
  readonly expired?: boolean;
  /** Of its validity, by default ten years from now. */
  readonly validity?: { readonly from: Date; readonly to: Date };
  /** Whether it is an authority itself; its path length, or undefined for none. */
  readonly authority?: { readonly pathLength?: number };
}

/** A certificate with its key, as files `name.pem` and `name.key`. */
export class PublicKeyInfrastructure {
  readonly #directory = mkdtempSync(path.join(os.tmpdir(), 'pki-'));

  constructor() {
    writeFileSync(
      this.path('ca.cnf'),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${this.path('index')}\nserial=${this.path('serial')}\ndefault_md=sha256\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n[p]\norganizationName=optional\ncommonName=supplied\n`,
    );
    writeFileSync(this.path('index'), '');
    writeFileSync(this.path('serial'), '1000');
  }

  path(file: string): string {
    return path.join(this.#directory, file);
  }

  pem(name: string): string {
    return readFileSync(this.path(`${name}.pem`), 'latin1');
  }

  key(name: string): string {
    return readFileSync(this.path(`${name}.key`), 'latin1');
  }

  root(name: string): void {
    this.#makeKey(name, 'ec');
    this.#run(
      ['req', '-x509', '-new', '-key', this.path(`${name}.key`), '-subj', `/O=Pilotfish/CN=${name}`],
      ['-days', '3650', '-out', this.path(`${name}.pem`), '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
      ['-addext', 'basicConstraints=critical,CA:true'],
    );
  }

  issue(name: string, issuer: string, options: LeafOptions = {}): void {
    const {
      subject = `/O=Pilotfish/CN=${name}`,
      names,
      extensions = [],
      key = 'ec',
      expired,
      validity,
      authority,
    } = options;
    this.#makeKey(name, key);
    const length = authority?.pathLength === undefined ? '' : `,pathlen:${authority.pathLength}`;
    const usage = `keyUsage=critical,${authority ? 'keyCertSign,cRLSign' : 'digitalSignature'}`;
    const lines = [
      `basicConstraints=critical,CA:${authority !== undefined}${length}`,
      ...(extensions.some((line) => line.startsWith('keyUsage')) ? [] : [usage]),
      ...(names ? [`subjectAltName=${names}`] : []),
      ...extensions,
    ];
    writeFileSync(this.path(`${name}.ext`), lines.join('\n'));
    this.#run(
      ['req', '-new', '-key', this.path(`${name}.key`), '-utf8', '-subj', subject],
      ['-out', this.path(`${name}.csr`)],
    );
    if (validity !== undefined) {
      this.#issueFor(name, issuer, validity);
      return;
    }
    this.#run(
      [
        'x509',
        '-req',
        '-in',
        this.path(`${name}.csr`),
        '-days',
        expired ? '-1' : '3650',
        '-out',
        this.path(`${name}.pem`),
      ],
      ['-CA', this.path(`${issuer}.pem`), '-CAkey', this.path(`${issuer}.key`), '-CAcreateserial'],
      ['-extfile', this.path(`${name}.ext`)],
    );
  }

  /** Only `openssl ca` takes dates; it wants a policy and a place for copies. */
  #issueFor(name: string, issuer: string, { from, to }: Required<LeafOptions>['validity']): void {
    writeFileSync(this.path('index'), '');
    const sign = [
      '-cert',
      this.path(`${issuer}.pem`),
      '-keyfile',
      this.path(`${issuer}.key`),
      '-policy',
      'p',
    ];
    this.#run(
      ['ca', '-batch', '-config', this.path('ca.cnf'), ...sign, '-notext', '-outdir', this.#directory],
      ['-startdate', opensslTime(from), '-enddate', opensslTime(to), '-extfile', this.path(`${name}.ext`)],
      ['-in', this.path(`${name}.csr`), '-out', this.path(`${name}.pem`)],
    );
  }

  /** The revocation list of an authority with these certificates on it. */
  crl(issuer: string, revoked: readonly string[], expired = false): string {
    writeFileSync(this.path('index'), '');
    const sign = ['-cert', this.path(`${issuer}.pem`), '-keyfile', this.path(`${issuer}.key`)];
    const ca = ['ca', '-config', this.path('ca.cnf')];
    for (const name of revoked) this.#run(ca, sign, ['-revoke', this.path(`${name}.pem`)]);
    const out = this.path(`${issuer}.crl`);
    const until = expired
      ? ['-crl_lastupdate', '200101000000Z', '-crl_nextupdate', '200102000000Z']
      : ['-crlhours', '24'];
    this.#run(ca, sign, ['-gencrl', ...until, '-out', out]);
    return readFileSync(out, 'latin1');
  }

  /** DER of a response that says the certificate is good. `minutes` until the next one; 0: it is old at once. */
  ocsp(name: string, issuer: string, minutes: number): Buffer {
    const serial = this.#run(['x509', '-noout', '-serial', '-in', this.path(`${name}.pem`)])
      .trim()
      .split('=')[1];
    const expiry = '391231235959Z';
    writeFileSync(this.path('index'), `V\t${expiry}\t\t${serial}\tunknown\t/O=Pilotfish/CN=${name}\n`);
    const request = this.path(`${name}.req`);
    const out = this.path(`${name}.ocsp`);
    const [certificate, key] = [this.path(`${issuer}.pem`), this.path(`${issuer}.key`)];
    this.#run([
      'ocsp',
      '-issuer',
      certificate,
      '-cert',
      this.path(`${name}.pem`),
      '-reqout',
      request,
      '-no_nonce',
    ]);
    this.#run(
      ['ocsp', '-index', this.path('index'), '-rsigner', certificate, '-rkey', key, '-CA', certificate],
      ['-reqin', request, '-respout', out, ...(minutes === 0 ? [] : ['-nmin', String(minutes)])],
    );
    return readFileSync(out);
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #makeKey(name: string, kind: 'ec' | 'rsa'): void {
    const out = ['-out', this.path(`${name}.key`)];
    if (kind === 'rsa') this.#run(['genrsa', ...out, '2048']);
    else this.#run(['ecparam', '-name', 'prime256v1', '-genkey', '-noout', ...out]);
  }

  #run(...args: readonly (readonly string[])[]): string {
    return execFileSync('openssl', args.flat(), { encoding: 'latin1', stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

/** YYYYMMDDHHMMSSZ. */
function opensslTime(date: Date): string {
  return `${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
}
