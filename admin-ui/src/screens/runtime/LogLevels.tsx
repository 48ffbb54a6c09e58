// Envoy's /logging: the level of each logger, and of all.

import { useQuery } from '@tanstack/react-query';
import { postText } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { ListTable } from '../../components/DataTable.tsx';
import { Failed } from '../../components/EmptyState.tsx';
import { toast } from '../../components/Toasts.tsx';

const LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'] as const;

interface Logger {
  readonly name: string;
  readonly level: string;
}

export function LogLevels({ canWrite }: { canWrite: boolean }) {
  // Envoy only answers POST here, also to those who just ask.
  const { data, error } = useQuery({ queryKey: ['/logging'], queryFn: loggers, enabled: canWrite });
  if (!canWrite) return <p className="quiet">For the role admin: Envoy&rsquo;s call for it is a POST.</p>;
  if (error !== null) return <Failed error={error} />;
  const set = async (query: Record<string, string>): Promise<void> => {
    try {
      await postText('/logging', query);
      await queryClient.invalidateQueries({ queryKey: ['/logging'] });
    } catch (failure) {
      toast((failure as Error).message, 'bad');
    }
  };
  return (
    <>
      <Level label="All loggers" level="" onChange={(level) => void set({ level })} />
      <ListTable<Logger>
        label="Loggers"
        rows={data ?? []}
        rowKey={({ name }) => name}
        empty={null}
        compact
        columns={[
          { id: 'name', title: 'Logger', width: 5, cell: ({ name }) => <span className="mono">{name}</span> },
          {
            id: 'level',
            title: 'Level',
            width: 12,
            cell: ({ name, level }) => (
              <Level label={name} level={level} onChange={(next) => void set({ [name]: next })} hidden />
            ),
          },
        ]}
      />
    </>
  );
}

async function loggers(): Promise<Logger[]> {
  const text = await postText('/logging');
  const found = [...text.matchAll(/^\s+(\S+): (\w+)$/gm)];
  return found.map(([, name = '', level = '']) => ({ name, level }));
}

function Level({
  label,
  level,
  onChange,
  hidden = false,
}: {
  label: string;
  level: string;
  onChange: (level: string) => void;
  hidden?: boolean;
}) {
  return (
    <label className="choice-list">
      <span className={hidden ? 'visually-hidden' : 'quiet'}>{label}</span>
      <select value={level} onChange={(event) => onChange(event.target.value)}>
        {level === '' && <option value="">choose</option>}
        {LEVELS.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </label>
  );
}
