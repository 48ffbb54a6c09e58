// The tools by which others judge: of HTTP/2 and gRPC h2spec (https://github.com/summerwind/h2spec) and the interop client and
// server of grpc-go, of compose files the specification's own reader. `node tests/conformance/tools.ts` builds them with Go, once, into a cache folder; tests skip without them.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** By the names of their binaries. The versions are fixed, so that a list of expected misses stays true. */
const PACKAGES: Readonly<Record<string, string>> = {
  h2spec: 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible',
  client: 'google.golang.org/grpc/interop/client@v1.85.0',
  server: 'google.golang.org/grpc/interop/server@v1.85.0',
  cmd: 'github.com/compose-spec/compose-go/v2/cmd@v2.4.7',
};

const CACHE = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
const FOLDER = path.join(CACHE, 'pilotfish', 'conformance');

export const H2SPEC = binary('h2spec');
export const INTEROP_CLIENT = binary('client');
export const INTEROP_SERVER = binary('server');
export const COMPOSE_READER = binary('cmd');

/** What `skip` of a test wants: false, or why these cannot run. */
export function missing(...binaries: readonly string[]): string | false {
  return binaries.every((file) => existsSync(file))
    ? false
    : 'no conformance tools: node_modules/.bin/node tests/conformance/tools.ts builds them where there is Go';
}

/** The version is part of the path: another version is another file. */
function binary(name: string): string {
  return path.join(FOLDER, versionOf(name), name);
}

function versionOf(name: string): string {
  return PACKAGES[name].split('@')[1];
}

/** Builds what is not there. Throws when Go is missing or cannot build. */
function build(): void {
  for (const [name, source] of Object.entries(PACKAGES)) {
    if (existsSync(binary(name))) continue;
    const GOBIN = path.dirname(binary(name));
    mkdirSync(GOBIN, { recursive: true });
    const { status, error } = spawnSync('go', ['install', source], {
      env: { ...process.env, GOBIN },
      stdio: 'inherit',
    });
    if (status !== 0) throw new Error(`go install ${source} failed`, { cause: error });
  }
}

if (import.meta.main) build();
