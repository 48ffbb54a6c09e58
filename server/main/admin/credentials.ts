// The files that say who may use the admin port: tokens, and certificates for TLS. Checked when the server starts; tokens
// are read again with each use and certificates when their folder changes, since Kubernetes rotates both.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { ConfigError } from '../../api/config_error.ts';
import { nodeTls } from '../../common/builtins.ts';

/** Characters. A token of 128 bits in hexadecimal has 32; what is shorter than half of it can be guessed. */
const MIN_TOKEN = 16;

/** What the command line says; '' for what is not given. */
export interface AdminOptions {
  readonly tokenFile: string;
  readonly viewerTokenFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string;
  /** Subject alternative names of the certificates that have the role `admin`. */
  readonly clientSans: readonly string[];
  readonly hosts: readonly string[];
  readonly trustLoopback: boolean;
  readonly allowRemoteWrites: boolean;
}

export interface AdminToken {
  readonly role: 'viewer' | 'admin';
  /** As the file has it now; undefined when it cannot be read, or is too short to be a token. */
  read(): string | undefined;
}

export interface AdminTls {
  /** Of certificates that clients show; undefined: they are not asked for one. */
  readonly ca: string | undefined;
  readonly adminSans: readonly string[];
  /** Where changes are to be looked for. */
  readonly folders: readonly string[];
  /** As the files have it now. Throws ConfigError. */
  read(): SecureContextOptions;
}

export interface AdminCredentials {
  readonly tokens: readonly AdminToken[];
  /** Undefined: plaintext. */
  readonly tls: AdminTls | undefined;
}

/** Throws ConfigError for a file that cannot be used. */
export function loadCredentials(options: AdminOptions): AdminCredentials {
  const tokens = [
    ...token('admin', '--admin-token-file', options.tokenFile),
    ...token('viewer', '--admin-viewer-token-file', options.viewerTokenFile),
  ];
  return { tokens, tls: tls(options) };
}

function token(role: AdminToken['role'], flag: string, file: string): AdminToken[] {
  if (file === '') return [];
  const text = readFile(flag, file).trim();
  if (text.length < MIN_TOKEN || /\s/.test(text)) {
    throw new ConfigError('', `${flag} ${file}: a token is one word of at least ${MIN_TOKEN} characters`);
  }
  const read = (): string | undefined => {
    try {
      const now = readFileSync(file, 'utf8').trim();
      return now.length < MIN_TOKEN ? undefined : now;
    } catch {
      return undefined;
    }
  };
  return [{ role, read }];
}

function tls({ certFile, keyFile, clientCaFile, clientSans }: AdminOptions): AdminTls | undefined {
  if (certFile === '') return undefined;
  const read = (): SecureContextOptions => {
    const files = {
      cert: readFile('--admin-cert-file', certFile),
      key: readFile('--admin-key-file', keyFile),
      ...(clientCaFile !== '' && { ca: readFile('--admin-client-ca-file', clientCaFile) }),
    };
    try {
      nodeTls().createSecureContext(files);
    } catch (error) {
      throw new ConfigError('', `--admin-cert-file ${certFile}: ${(error as Error).message}`);
    }
    return files;
  };
  const folders = [certFile, keyFile, clientCaFile].filter(Boolean).map((file) => path.dirname(file));
  const { ca } = read();
  return { ca: ca as string | undefined, adminSans: clientSans, folders: [...new Set(folders)], read };
}

function readFile(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError('', `${flag} ${file}: ${(error as Error).message}`);
  }
}
