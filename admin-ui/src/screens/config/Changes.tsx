// What a version changed, field by field: before and after, one above the other where they are long.

import type { Change, Json } from '../../api/types.ts';
import { toYaml } from '../../components/yaml.ts';
import { plural } from '../../format.ts';

/** More are not for reading. */
const MAX_SHOWN = 2_000;

export function Changes({ changes }: { changes: readonly Change[] }) {
  if (changes.length === 0) return <p className="quiet">They say the same.</p>;
  return (
    <>
      <p className="quiet">
        {plural(changes.length, 'field differs', 'fields differ')}
        {changes.length > MAX_SHOWN && `, the first ${MAX_SHOWN} are shown`}
      </p>
      <dl className="changes">
        {changes.slice(0, MAX_SHOWN).map(({ path, before, after }) => (
          <div key={path}>
            <dt className="mono">{path === '' ? 'all of it' : path}</dt>
            <dd>
              <Side sign="-" value={before} />
              <Side sign="+" value={after} />
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function Side({ sign, value }: { sign: '-' | '+'; value: Json | undefined }) {
  if (value === undefined) return null;
  return (
    <pre className={sign === '-' ? 'change-before' : 'change-after'}>
      <span className="visually-hidden">{sign === '-' ? 'before: ' : 'after: '}</span>
      {toYaml(value)
        .split('\n')
        .map((line) => `${sign} ${line}`)
        .join('\n')}
    </pre>
  );
}
