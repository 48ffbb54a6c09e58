// This workload's identity in the mesh: a certificate of istiod's CA, asked for with the service account's token and renewed at
// half of its life, with the token or, where that is not taken, with the certificate itself. The key stays in memory.
// Istio: security/pkg/nodeagent/cache/secretcache.go.

import { readFileSync } from 'node:fs';
import type { StatStore } from '../../api/stats.ts';
import { logger } from '../../common/log.ts';
import { JitteredExponentialBackOff } from '../xds/backoff.ts';
import { createCertificateRequest } from './certificate_request.ts';
import {
  CertificateService,
  CertificateServiceError,
  type CertificateServiceOptions,
  type Credential,
} from './certificate_service.ts';
import { IdentityStats } from './identity_stats.ts';
import { TrustBundle } from './trust_bundle.ts';
import {
  checkWorkloadCertificate,
  pemText,
  UnusableCertificateError,
  type WorkloadCertificate,
} from './workload_certificate.ts';

const log = logger('secret');

/** Renewal comes when this part of the remaining life is over: the agent's SECRET_GRACE_PERIOD_RATIO, 0.5 ... */
const RENEWAL_RATIO = 0.5;
/** ... less up to this: proxies that started together are not to come back together. */
const RENEWAL_JITTER = 0.05;
/** ms between looks at the clock: timers stop while a machine sleeps, and cannot be longer than 24 days. */
const LONGEST_WAIT_MS = 3_600_000;

export interface WorkloadIdentityOptions {
  readonly service: CertificateServiceOptions;
  readonly spiffeId: string;
  readonly tokenFile: string;
  readonly rootCaFile: string;
}

/** There is no token to send, or the CA does not take it. */
class TokenError extends Error {}

export class WorkloadIdentity {
  readonly trustBundle: TrustBundle;
  readonly #options: WorkloadIdentityOptions;
  readonly #service: CertificateService;
  readonly #stats: IdentityStats;
  readonly #backOff = new JitteredExponentialBackOff();
  readonly #onChange: () => void;
  #certificate: WorkloadCertificate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #closed = false;
  /** Said once: a CA that is away for an hour is one line, not a hundred. */
  #lastWarning = '';

  /** `onChange` is called for every new certificate and every change of the roots. Throws ConfigError for unusable files. */
  constructor(options: WorkloadIdentityOptions, stats: StatStore, onChange: () => void) {
    this.#options = options;
    this.#onChange = onChange;
    this.trustBundle = new TrustBundle(options.rootCaFile);
    this.#service = new CertificateService(options.service);
    this.#stats = new IdentityStats(stats);
  }

  /** Undefined until the CA has answered. */
  get certificate(): WorkloadCertificate | undefined {
    return this.#certificate;
  }

  /** Asks for the first certificate and goes on until close(). */
  start(): void {
    this.trustBundle.follow(() => this.#onRootsChanged());
    void this.#renew();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.trustBundle.close();
    this.#service.close();
  }

  /** Never rejects: whatever goes wrong is said and tried again. */
  async #renew(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#asking) return;
    this.#asking = true;
    const { spiffeId } = this.#options;
    try {
      if (this.trustBundle.reload()) this.#onChange();
      const { privateKey, pem } = createCertificateRequest(spiffeId);
      const chain = await this.#ask(pem);
      if (this.#closed) return;
      this.#use(checkWorkloadCertificate(chain, privateKey, spiffeId, this.trustBundle.fileRoots));
    } catch (error) {
      if (!this.#closed) this.#onFailed(error as Error);
    } finally {
      this.#asking = false;
    }
  }

  async #ask(requestPem: string): Promise<readonly string[]> {
    try {
      return await this.#call(requestPem, { kind: 'token', token: this.#readToken() });
    } catch (error) {
      const current = this.#certificate;
      if (!(error instanceof TokenError) || current === undefined || current.notAfter <= Date.now())
        throw error;
      log.info(`${error.message}; asking with the current certificate instead`);
      return this.#call(requestPem, { kind: 'certificate', ...current });
    }
  }

  async #call(requestPem: string, credential: Credential): Promise<readonly string[]> {
    const { service, tokenFile, rootCaFile } = this.#options;
    try {
      return await this.#service.createCertificate(
        requestPem,
        credential,
        pemText(this.trustBundle.fileRoots),
      );
    } catch (error) {
      if (!(error instanceof CertificateServiceError)) throw error;
      const { message } = error;
      if (error.refusesCredential && credential.kind === 'token') {
        throw new TokenError(`--token-file ${tokenFile}: ${service.target} refuses it (${message})`);
      }
      const hint = /certificate|altnames/.test(message)
        ? ` (its certificate must be for ${service.serverName} and signed by --root-ca ${rootCaFile})`
        : '';
      throw new Error(`${service.target}, asked with a ${credential.kind}: ${message}${hint}`);
    }
  }

  /** Read for each call: the kubelet replaces tokens before they expire. */
  #readToken(): string {
    const { tokenFile } = this.#options;
    try {
      const token = readFileSync(tokenFile, 'utf8').trim();
      if (token !== '') return token;
    } catch (error) {
      throw new TokenError(`--token-file ${tokenFile}: ${(error as Error).message}`);
    }
    throw new TokenError(`--token-file ${tokenFile}: is empty`);
  }

  #use(certificate: WorkloadCertificate): void {
    const { spiffeId, serialNumber, notAfter, root } = certificate;
    this.#certificate = certificate;
    this.trustBundle.answered(root);
    this.#stats.issued(notAfter);
    this.#backOff.reset();
    this.#lastWarning = '';
    const part = RENEWAL_RATIO - RENEWAL_JITTER * Math.random();
    this.#renewAt(Date.now() + (notAfter - Date.now()) * part);
    log.info(
      `certificate ${serialNumber} of ${spiffeId} is in use, valid until ${new Date(notAfter).toISOString()}`,
    );
    this.#onChange();
  }

  /** `time` as Date.now(). */
  #renewAt(time: number): void {
    clearTimeout(this.#timer);
    const wait = Math.min(time - Date.now(), LONGEST_WAIT_MS);
    this.#timer = setTimeout(() => {
      if (Date.now() < time) this.#renewAt(time);
      else void this.#renew();
    }, wait);
  }

  #onFailed(error: Error): void {
    this.#stats.failed();
    this.#renewAt(Date.now() + this.#backOff.nextMs());
    const unusable = error instanceof UnusableCertificateError;
    const reason = unusable ? `the certificate of istiod is refused: ${error.message}` : error.message;
    const text = `no certificate for ${this.#options.spiffeId}: ${reason}; ${this.#consequence()}`;
    if (text === this.#lastWarning) return;
    this.#lastWarning = text;
    log.warning(text);
  }

  #consequence(): string {
    const current = this.#certificate;
    if (current === undefined) return 'nothing is asked of istiod until there is one';
    const end = new Date(current.notAfter).toISOString();
    return current.notAfter > Date.now()
      ? `the current one serves until ${end}`
      : `the current one is expired since ${end}`;
  }

  #onRootsChanged(): void {
    log.info(`the roots in --root-ca ${this.#options.rootCaFile} have changed`);
    this.#onChange();
    // Peers that have the new file no longer trust a root that is gone from it.
    const current = this.#certificate;
    if (current !== undefined && !this.trustBundle.fileHas(current.root)) void this.#renew();
  }
}
