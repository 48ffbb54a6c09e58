// `/`: every endpoint with its help, and a form where it has parameters or changes something.
// Envoy: source/server/admin/admin_html_util.cc.

import type { AdminHandler, AdminParam } from './handler.ts';
import { sortedByPath } from './help.ts';
import { escapeHtml } from './html.ts';

const STYLE = `
  body { font-family: sans-serif; font-size: medium; }
  table { border-collapse: collapse; }
  td { padding: 4px; text-align: left; vertical-align: top; }
  tr.gray { background-color: #ddd; }
  td.option { padding-left: 20px; text-align: right; }
  form { margin: 0; }
  button { background: none; border: none; padding: 0; font: inherit; color: #069; text-decoration: underline; cursor: pointer; }
`;

/** What comes before and after the content of a page. `head` is put into its head. */
export function page(head = ''): readonly [start: string, end: string] {
  const start =
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n  <meta charset="UTF-8">\n  <title>Envoy Admin</title>\n' +
    `${head}  <style>${STYLE}  </style>\n</head>\n<body>\n`;
  return [start, '</body>\n</html>\n'];
}

export function homePage(handlers: readonly AdminHandler[]): string {
  const [start, end] = page();
  const rows = sortedByPath(handlers)
    .filter((handler) => handler.path !== '/')
    .map(handlerRows);
  return `${start}<table>\n<thead><th>Command</th><th>Description</th></thead>\n<tbody>\n${rows.join('')}</tbody>\n</table>\n${end}`;
}

function handlerRows(handler: AdminHandler, index: number): string {
  const name = handler.path.slice(1);
  const gray = index % 2 === 0 ? " class='gray'" : '';
  const form = `<form action='${name}' method='${handler.mutates ? 'post' : 'get'}' id='${name}'><button>${name}</button></form>`;
  const command = handler.mutates || handler.params.length > 0 ? form : `<a href='${name}'>${name}</a>`;
  const rows = `<tr${gray}>\n  <td>${command}</td>\n  <td>${escapeHtml(handler.help)}</td>\n</tr>\n`;
  return rows + handler.params.map((param) => paramRow(name, param, gray)).join('');
}

function paramRow(form: string, param: AdminParam, gray: string): string {
  const label = `<label>${escapeHtml(param.help)}</label>`;
  return `<tr${gray}>\n  <td class='option'>${input(form, param)} ${param.name}</td>\n  <td>${label}</td>\n</tr>\n`;
}

function input(form: string, { name, type }: AdminParam): string {
  const attributes = `name='${name}' form='${form}'`;
  if (type === 'boolean') return `<input type='checkbox' ${attributes}>`;
  if (type === 'string' || type === 'mask') return `<input type='text' ${attributes}>`;
  const options = type.choices.map((choice) => `<option value='${choice}'>${choice}</option>`);
  return `<select ${attributes}>${options.join('')}</select>`;
}
