// /logging: shows and changes the level of each logger. Envoy: source/server/admin/logs_handler.cc.

import type { AdminContext, Logging } from './context.ts';
import { type AdminAnswer, type AdminRequest, text } from './handler.ts';

export function logging({ query }: AdminRequest, { logging }: AdminContext): AdminAnswer {
  const error = change(query, logging);
  if (error === undefined) return text(activeLoggers(logging));
  return text(`error: ${error}\n\n${usage(logging)}${activeLoggers(logging)}`, 400);
}

/** What is wrong with the parameters; nothing changes then. */
function change(query: URLSearchParams, logging: Logging): string | undefined {
  const [parameter, ...more] = query;
  if (more.length > 0) return 'invalid number of parameters';
  if (parameter === undefined) return undefined;
  const [name, value] = parameter;
  if (name === 'group') return 'group parameter requires fine-grain logging to be enabled';
  if (name === 'paths') return changePaths(value, logging);
  // The home page's form sends an empty level when only the list is wanted.
  if (name === 'level' && value === '') return undefined;
  if (!logging.levels.includes(value)) return 'unknown logger level';
  return logging.setLevel(name === 'level' ? undefined : name, value) ? undefined : 'unknown logger name';
}

function changePaths(paths: string, logging: Logging): string | undefined {
  const known = new Set([...logging.loggers()].map((logger) => logger.name));
  const changes: [name: string, level: string][] = [];
  for (const part of paths.split(',')) {
    if (part === '') continue;
    const [name = '', level = ''] = part.split(':');
    if (name === '' || level === '') return 'empty logger name or empty logger level';
    if (!logging.levels.includes(level)) return 'unknown logger level';
    if (!known.has(name)) return 'unknown logger name';
    changes.push([name, level]);
  }
  for (const [name, level] of changes) logging.setLevel(name, level);
  return undefined;
}

function usage(logging: Logging): string {
  return (
    'usage: /logging?<name>=<level> (change single level)\n' +
    'usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n' +
    'usage: /logging?level=<level> (change all levels)\n' +
    'usage: /logging?group=<group_name>:<level> (change group of loggers)\n' +
    `levels: ${logging.levels.map((level) => `${level} `).join('')}\n`
  );
}

function activeLoggers(logging: Logging): string {
  let list = 'active loggers:\n';
  for (const { name, level } of logging.loggers()) list += `  ${name}: ${level}\n`;
  return `${list}\n`;
}
