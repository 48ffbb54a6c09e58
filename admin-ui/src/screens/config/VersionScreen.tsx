// One version of a resource: what it changed, against any other of it, and what it says.

import { useAnswer } from '../../api/queries.ts';
import type { HistoryDetail, HistoryEntry, Page } from '../../api/types.ts';
import { Choice, ChoiceList } from '../../components/Choice.tsx';
import { EmptyState, Failed, NoAnswer, Waiting } from '../../components/EmptyState.tsx';
import { KeyValues } from '../../components/KeyValues.tsx';
import { DownloadButton, FormatChoice, RawConfig, RawConfigs } from '../../components/RawConfig.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { ScreenLink } from '../../components/ScreenLink.tsx';
import { Section } from '../../components/Section.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { Verdict } from '../../components/Verdict.tsx';
import { clock } from '../../format.ts';
import { useUrlParam } from '../../url.ts';
import { resourceTarget } from '../resourceTarget.ts';
import { FieldError } from '../xds/FieldError.tsx';
import { Changes } from './Changes.tsx';
import './config.css';

/** Versions to choose from. */
const VERSIONS = 100;
const SHOWS = [
  { value: '', title: 'Fields' },
  { value: 'side', title: 'Side by side' },
] as const;

export function VersionScreen({ id }: { id: number }) {
  const { data, error } = useAnswer<HistoryDetail>(`/api/history/${id}`);
  const [against, setAgainst] = useUrlParam('against');
  const [show, setShow] = useUrlParam('show');
  const { data: versions } = useAnswer<Page<HistoryEntry>>(
    '/api/history',
    { kind: data?.kind, name: data?.name, limit: VERSIONS },
    { enabled: data !== undefined },
  );
  const parent = { title: 'Config', params: {} };
  if (data === undefined) {
    return (
      <div className="screen">
        <ScreenHead title={`Version ${id}`} parent={parent} />
        <NoAnswer error={error} />
      </div>
    );
  }
  const others = versions?.items.filter((each) => each.id !== id && each.name === data.name) ?? [];
  const compared =
    against === '' ? others.find((each) => each.id < id && each.verdict === 'accepted')?.id : Number(against);
  return (
    <div className="screen">
      <ScreenHead title={data.name} parent={parent} note={<Verdict verdict={data.verdict} />}>
        <ScreenLink {...resourceTarget(data.kind, data.name)} className="button">
          What serves now
        </ScreenLink>
        <FormatChoice />
        {data.resource !== undefined && (
          <DownloadButton name={`${data.name}-${data.version}`} value={data.resource} />
        )}
      </ScreenHead>
      <KeyValues
        items={[
          ['Kind', data.kind],
          [
            'Version',
            data.version === '' ? undefined : (
              <span key="version" className="mono">
                {data.version}
              </span>
            ),
          ],
          ['From', data.source],
          ['Came', <TimeAgo key="at" at={data.at} />],
        ]}
      />
      {data.verdict === 'rejected' && (
        <Section title="Why it was rejected">
          <FieldError path={data.path ?? ''} reason={data.reason ?? ''} resource={data.resource} />
        </Section>
      )}
      {others.length > 0 && data.resource !== undefined && (
        <Section
          title="Compared"
          actions={
            <>
              <ChoiceList
                label="with"
                value={String(compared ?? '')}
                onChange={setAgainst}
                options={[
                  ...(compared === undefined ? [{ value: '', title: 'another version' }] : []),
                  ...others.map((each) => ({ value: String(each.id), title: titleOf(each) })),
                ]}
              />
              <Choice label="Show" options={SHOWS} value={show as '' | 'side'} onChange={setShow} />
            </>
          }
        >
          {compared === undefined ? (
            <p className="quiet">No accepted version came before it.</p>
          ) : (
            <Compared detail={data} with={compared} side={show === 'side'} />
          )}
        </Section>
      )}
      <Section title="In full">
        {data.resource === undefined ? (
          <EmptyState title={data.verdict === 'removed' ? 'It was removed' : 'It could not be read'} />
        ) : (
          <RawConfig label={`${data.kind} ${data.name}`} value={data.resource} />
        )}
      </Section>
    </div>
  );
}

function titleOf({ version, at, verdict }: HistoryEntry): string {
  return `${clock(at)}, ${version === '' ? 'no version' : version.slice(0, 24)}, ${verdict}`;
}

function Compared({ detail, with: id, side }: { detail: HistoryDetail; with: number; side: boolean }) {
  return side ? <BothSides detail={detail} with={id} /> : <FieldChanges id={detail.id} with={id} />;
}

/** By the proxy, which sees that a secret changed: what it tells of one never does. Time goes forward. */
function FieldChanges({ id, with: other }: { id: number; with: number }) {
  const query = { against: Math.min(id, other) };
  const path = `/api/history/${Math.max(id, other)}`;
  const { data, error } = useAnswer<HistoryDetail>(path, query, { keep: false });
  if (error !== null) return <Failed error={error} />;
  if (data === undefined) return <Waiting />;
  if (data.changes === undefined) return <p className="quiet">One of the two cannot be compared.</p>;
  return <Changes changes={data.changes} />;
}

function BothSides({ detail, with: id }: { detail: HistoryDetail; with: number }) {
  const { data, error } = useAnswer<HistoryDetail>(`/api/history/${id}`, {}, { keep: false });
  if (error !== null) return <Failed error={error} />;
  if (data === undefined) return <Waiting />;
  // Time goes from left to right.
  const [older, newer] = id < detail.id ? [data, detail] : [detail, data];
  if (older.resource === undefined || newer.resource === undefined)
    return <p className="quiet">One of the two cannot be compared.</p>;
  return <RawConfigs label={detail.name} before={older.resource} after={newer.resource} />;
}
