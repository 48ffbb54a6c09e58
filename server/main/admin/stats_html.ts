// /stats?format=html: the text in a page. With `active-html` the page asks for itself again every few seconds.

import { page } from './home_page.ts';
import { escapeHtml } from './html.ts';

const REFRESH_SECONDS = 5;

export function* htmlStats(lines: Iterable<string>, active: boolean): Generator<string> {
  const [start, end] = page(active ? `  <meta http-equiv="refresh" content="${REFRESH_SECONDS}">\n` : '');
  yield `${start}<pre>\n`;
  // Text readouts are escaped already, and nothing else has a character that needs it but a name.
  for (const line of lines) yield line.includes('<') ? escapeHtml(line) : line;
  yield `</pre>\n${end}`;
}
