// A resource as it is configured now: what serves, what warms, what was refused; and how it came to that.

import { useAnswer } from '../../api/queries.ts';
import type { HistoryEntry, Page, ResourceDetail } from '../../api/types.ts';
import { Badge } from '../../components/Badge.tsx';
import { ListTable } from '../../components/DataTable.tsx';
import { EmptyState, NoAnswer } from '../../components/EmptyState.tsx';
import { KeyValues } from '../../components/KeyValues.tsx';
import { DownloadButton, FormatChoice, RawConfig } from '../../components/RawConfig.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { Section } from '../../components/Section.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { Verdict } from '../../components/Verdict.tsx';
import { bytes } from '../../format.ts';
import { FieldError } from '../xds/FieldError.tsx';
import { Changes } from './Changes.tsx';
import './config.css';

export function ResourceScreen({ kind, name }: { kind: string; name: string }) {
  const { data, error } = useAnswer<ResourceDetail>(`/api/resources/${kind}/${encodeURIComponent(name)}`);
  const parent = { title: 'Config', params: { view: 'resources' } };
  if (data === undefined) {
    return (
      <div className="screen">
        <ScreenHead title={name} parent={parent} />
        <NoAnswer error={error} />
      </div>
    );
  }
  const { rejection, resource, warming_resource: warming, rejected_resource: rejected } = data;
  const { warming_changes: warmingChanges, rejected_changes: rejectedChanges } = data;
  return (
    <div className="screen">
      <ScreenHead
        title={name}
        parent={parent}
        note={
          <Badge tone={data.state === 'active' ? 'good' : data.state === 'warming' ? 'warn' : 'bad'}>
            {data.state}
          </Badge>
        }
      >
        <FormatChoice />
        {resource !== undefined && <DownloadButton name={name} value={resource} />}
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
          ['From', data.static ? 'the bootstrap' : undefined],
          ['Size', bytes(data.size_bytes)],
          ['Updated', <TimeAgo key="at" at={data.updated_at} />],
        ]}
      />
      {rejection !== undefined && (
        <Section title="A newer version was rejected" note={<TimeAgo at={rejection.at} />}>
          <FieldError path={rejection.path} reason={rejection.reason} resource={rejected} />
          {rejectedChanges !== undefined && <Changes changes={rejectedChanges} />}
        </Section>
      )}
      {warming !== undefined && (
        <Section title="A newer version is warming" note="It serves once it has what it waits for.">
          {warmingChanges === undefined ? (
            <RawConfig label={`${name}, warming`} value={warming} />
          ) : (
            <Changes changes={warmingChanges} />
          )}
        </Section>
      )}
      {resource !== undefined && (
        <Section title="What serves">
          <RawConfig label={`${kind} ${name}`} value={resource} />
        </Section>
      )}
      <Versions kind={kind} name={name} />
    </div>
  );
}

function Versions({ kind, name }: { kind: string; name: string }) {
  const { data } = useAnswer<Page<HistoryEntry>>('/api/history', { kind, name, limit: 100 });
  return (
    <Section title="Versions">
      <ListTable
        label="Versions"
        rows={data?.items ?? []}
        rowKey={({ id }) => String(id)}
        link={({ id }) => ({ screen: '/config', params: { id: String(id) } })}
        compact
        empty={<EmptyState title="None came from a control plane" />}
        columns={[
          {
            id: 'version',
            title: 'Version',
            width: 12,
            cell: ({ version, id }) => <span className="mono">{version || `#${id}`}</span>,
          },
          { id: 'verdict', title: 'Verdict', width: 2, cell: ({ verdict }) => <Verdict verdict={verdict} /> },
          { id: 'at', title: 'When', width: 3, number: true, cell: ({ at }) => <TimeAgo at={at} /> },
        ]}
      />
    </Section>
  );
}
