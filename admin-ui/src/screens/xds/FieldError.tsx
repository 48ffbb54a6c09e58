// An error put on the field that it is about: the lines of the resource around that field, with the reason under it.

import type { Json, JsonObject } from '../../api/types.ts';
import { isObject } from '../config/semanticDiff.ts';
import './xds.css';

/** Lines before and after the field. */
const AROUND = 6;

interface Line {
  readonly text: string;
  readonly path: string;
}

export function FieldError({
  path,
  reason,
  resource,
}: {
  path: string;
  reason: string;
  resource: JsonObject | undefined;
}) {
  const lines = resource === undefined ? [] : linesOf(resource);
  const at = placeOf(lines, path);
  const shown = at < 0 ? [] : lines.slice(Math.max(0, at - AROUND), at + AROUND + 1);
  return (
    <div className="field-error">
      <p>
        {path !== '' && <span className="mono">{path}: </span>}
        <strong>{reason}</strong>
      </p>
      {shown.length > 0 && (
        <pre>
          {shown.map((line, place) => {
            const wrong = lines[at] === line;
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: lines have no names
              <span key={place} className={wrong ? 'field-error-line' : undefined}>
                {line.text}
                {'\n'}
                {wrong && (
                  <>
                    {' '.repeat(line.text.length - line.text.trimStart().length)}
                    {'^'.repeat(line.text.trim().length)}
                    {'\n'}
                  </>
                )}
              </span>
            );
          })}
        </pre>
      )}
    </div>
  );
}

/** YAML, each line with the path of its field as the proxy writes paths: clusters[0].name. */
export function linesOf(value: Json, path = '', indent = ''): Line[] {
  const lines: Line[] = [];
  if (Array.isArray(value)) {
    value.forEach((each, place) => {
      const inner = linesOf(each, `${path}[${place}]`, `${indent}  `);
      const [first, ...rest] = inner;
      if (first !== undefined)
        lines.push({ ...first, text: `${indent}- ${first.text.trimStart()}` }, ...rest);
    });
  } else if (isObject(value)) {
    for (const [name, each] of Object.entries(value)) {
      const own = path === '' ? name : `${path}.${name}`;
      const block = typeof each === 'object' && each !== null && Object.keys(each).length > 0;
      lines.push({ path: own, text: `${indent}${name}:${block ? '' : ` ${JSON.stringify(each)}`}` });
      if (block) lines.push(...linesOf(each, own, `${indent}  `));
    }
  } else {
    lines.push({ path, text: `${indent}${JSON.stringify(value)}` });
  }
  return lines;
}

/** The line of the field, or of the nearest one around it: a field that is wrong because it is missing has no line. */
export function placeOf(lines: readonly Line[], path: string): number {
  for (
    let part = path;
    part !== '';
    part = part.slice(0, Math.max(part.lastIndexOf('.'), part.lastIndexOf('['), 0))
  ) {
    const exact = lines.findIndex((line) => line.path === part);
    if (exact >= 0) return exact;
    // An element of a list begins on the line of its first field.
    const inside = lines.findIndex(
      (line) => line.path.startsWith(`${part}.`) || line.path.startsWith(`${part}[`),
    );
    if (inside >= 0) return inside;
  }
  return -1;
}
