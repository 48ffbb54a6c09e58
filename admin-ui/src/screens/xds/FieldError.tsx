// An error put on the field that it is about: the lines of the resource around that field, with the reason under it.

import type { JsonObject } from '../../api/types.ts';
import { type YamlLine, yamlLines } from '../../components/yaml.ts';
import './xds.css';

/** Lines before and after the field. */
const AROUND = 6;

export function FieldError({
  path,
  reason,
  resource,
}: {
  path: string;
  reason: string;
  resource: JsonObject | undefined;
}) {
  const lines = resource === undefined ? [] : yamlLines(resource);
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

/** The line of the field, or of the nearest one around it: a field that is wrong because it is missing has no line. */
function placeOf(lines: readonly YamlLine[], path: string): number {
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
