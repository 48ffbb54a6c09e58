// The roots of the mesh: those of the --root-ca file, which is followed, and the one that the CA's last answer ended at.
// Both, because a CA that changes its root reaches files and certificates at different times, and peers of either must pass.
// Istio: security/pkg/nodeagent/cache/secretcache.go (mergeTrustAnchorBytes).

import type { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ConfigError } from '../../api/config_error.ts';
import { logger } from '../../common/log.ts';
import { FolderWatch } from '../secret/folder_watch.ts';
import { parseCertificates, pemText } from './workload_certificate.ts';

const log = logger('secret');

export class TrustBundle {
  readonly #file: string;
  #fileRoots: readonly X509Certificate[];
  #answered: X509Certificate | undefined;
  #watch: FolderWatch | undefined;
  #pem: string;

  /** Throws ConfigError when the file holds no certificate. */
  constructor(file: string) {
    this.#file = file;
    this.#fileRoots = readRoots(file);
    this.#pem = pemText(this.#fileRoots);
  }

  /** All roots, each once. */
  get pem(): string {
    return this.#pem;
  }

  /** Those of the file: what istiod itself is verified by. */
  get fileRoots(): readonly X509Certificate[] {
    return this.#fileRoots;
  }

  /** `onChange` is called when the file has other roots; a file that is not usable changes nothing. */
  follow(onChange: () => void): void {
    this.#watch = new FolderWatch([path.dirname(this.#file)], () => {
      if (this.reload()) onChange();
    });
  }

  /** Reads the file now: there are file systems that tell of no change. True when the roots are others. */
  reload(): boolean {
    try {
      this.#fileRoots = readRoots(this.#file);
    } catch (error) {
      log.warning(`${(error as Error).message}; the roots stay as they were`);
      return false;
    }
    return this.#update();
  }

  /** The root of the certificate in use. */
  answered(root: X509Certificate): void {
    this.#answered = root;
    this.#update();
  }

  /** Is the root in the file? A CA that changed leaves its old root out some day. */
  fileHas({ fingerprint256 }: X509Certificate): boolean {
    return this.#fileRoots.some((each) => each.fingerprint256 === fingerprint256);
  }

  close(): void {
    this.#watch?.close();
  }

  #update(): boolean {
    const roots = [...this.#fileRoots];
    if (this.#answered !== undefined && !this.fileHas(this.#answered)) roots.push(this.#answered);
    const pem = pemText(roots);
    if (pem === this.#pem) return false;
    this.#pem = pem;
    return true;
  }
}

function readRoots(file: string): X509Certificate[] {
  let roots: X509Certificate[];
  try {
    roots = parseCertificates(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigError('', `--root-ca ${file}: ${(error as Error).message}`);
  }
  if (roots.length === 0) throw new ConfigError('', `--root-ca ${file}: holds no certificate in PEM`);
  return roots;
}
