#!/usr/bin/env node
// Starts server/main.ts on Node 26, whatever Node runs this file (20.19 or newer will do): on itself, or on the Node that
// npm installed beside the project. Signals and the exit code pass through.
'use strict';

const { spawn, spawnSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const path = require('node:path');
const { environment, nodeArguments } = require('./node_settings.cjs');

const NEEDED = 26;
const root = path.join(__dirname, '..');

function majorOf(binary) {
  const answer = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  return Number(/^v(\d+)/.exec(answer.stdout ?? '')?.[1] ?? 0);
}

/** The Node that the platform package put into node_modules, here or where this package is a dependency. */
function installedNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  for (const folder of [root, path.join(root, '..', '..')]) {
    const binary = path.join(folder, 'node_modules', '.bin', name);
    if (existsSync(binary) && majorOf(binary) >= NEEDED) return binary;
  }
  return undefined;
}

function nodeBinary() {
  if (Number(process.versions.node.split('.')[0]) >= NEEDED) return process.execPath;
  return installedNode();
}

const node = nodeBinary();
if (node === undefined) {
  console.error(
    `pilotfish needs Node ${NEEDED} or newer; this is Node ${process.versions.node}, and the Node that comes with the package is not installed.\n` +
      `Run \`npm ci\` without --omit=optional, or start with a newer Node (https://nodejs.org).`,
  );
  process.exit(1);
}

const argv = [...nodeArguments(path.join(root, 'server', 'main.ts')), ...process.argv.slice(2)];
// Becoming that process is better than standing in front of it: no second process, no signals to pass on.
if (process.execve !== undefined) process.execve(node, [node, ...argv], environment());

const child = spawn(node, argv, { stdio: 'inherit', env: environment() });
child.on('error', (error) => {
  console.error(`pilotfish: cannot start ${node}: ${error.message}`);
  process.exit(1);
});
// A terminal sends Ctrl-C to both processes; a supervisor's signal comes to this one only. The child counts a second
// signal as impatience, so the same signal must not reach it twice: its group gets what the terminal sends.
for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT']) {
  process.on(signal, () => child.kill(signal));
}
process.on('SIGINT', () => {
  if (!process.stdin.isTTY) child.kill('SIGINT');
});
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code ?? 1);
  // Ends as the child did, so that whoever started this sees the same.
  for (const name of ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT', 'SIGINT'])
    process.removeAllListeners(name);
  process.kill(process.pid, signal);
});
