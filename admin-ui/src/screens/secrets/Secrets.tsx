// Certificates and trusted roots that serve, when each expires and who uses it; and the secrets that control planes sent. Never a key.

import { useState } from 'react';
import type { CertificateUse } from '../../api/proxyTypes.ts';
import { useAnswer } from '../../api/queries.ts';
import type { Page, ResourceSummary } from '../../api/types.ts';
import { Badge } from '../../components/Badge.tsx';
import { type Column, ListTable, PagedTable, TotalNote } from '../../components/DataTable.tsx';
import { EmptyState } from '../../components/EmptyState.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { ScreenLink } from '../../components/ScreenLink.tsx';
import { SearchBox } from '../../components/SearchBox.tsx';
import { Section } from '../../components/Section.tsx';
import { TimeAgo } from '../../components/TimeAgo.tsx';
import { plural } from '../../format.ts';
import { useUrlParam, useUrlParams } from '../../url.ts';
import { resourceTarget } from '../resourceTarget.ts';
import { CertificateScreen } from './CertificateScreen.tsx';
import { Expiry } from './Expiry.tsx';

/** ms: certificates are renewed under our eyes, but not often. */
const EVERY_MS = 10_000;

export function Screen() {
  const [params] = useUrlParams();
  const { serial, secret } = params;
  if (serial !== undefined || secret !== undefined)
    return <CertificateScreen serial={serial} secret={secret} />;
  return <Lists />;
}

const CERTIFICATES: readonly Column<CertificateUse>[] = [
  { id: 'name', title: 'Name', width: 12, sort: 'name', text: ({ name }) => name, cell: ({ name }) => <span className="mono">{name}</span> },
  { id: 'role', title: 'Role', width: 3, cell: ({ role }) => (role === 'certificate' ? 'certificate' : 'trusted root') },
  { id: 'expires', title: 'Expires', width: 4, sort: 'expires_at', cell: ({ valid_from, expires_at }) => <Expiry from={valid_from} to={expires_at} /> },
  { id: 'secret', title: 'From', width: 5, from: 'medium', text: ({ path }) => path, cell: ({ secret, path }) => <span className="mono quiet">{secret || path}</span> },
  {
    id: 'users',
    title: 'Used by',
    width: 6,
    from: 'medium',
    text: ({ used_by: users }) => users.map(({ name }) => name).join(', '),
    cell: ({ used_by: users }) => (users.length === 1 ? <ScreenLink {...resourceTarget(users[0]!.kind, users[0]!.name)}>{users[0]!.name}</ScreenLink> : plural(users.length, 'listener or cluster', 'listeners and clusters')),
  },
]; // biome-ignore format: a table

const SECRETS: readonly Column<ResourceSummary>[] = [
  { id: 'name', title: 'Name', width: 12, cell: ({ name }) => <span className="mono">{name}</span> },
  { id: 'state', title: 'State', width: 3, cell: ({ state }) => <Badge tone={state === 'active' ? 'good' : state === 'warming' ? 'warn' : 'bad'}>{state}</Badge> },
  { id: 'version', title: 'Version', width: 6, from: 'medium', cell: ({ version }) => <span className="mono quiet">{version}</span> },
  { id: 'at', title: 'Updated', width: 3, number: true, cell: ({ updated_at }) => <TimeAgo at={updated_at} /> },
]; // biome-ignore format: a table

function Lists() {
  const [params, change] = useUrlParams();
  const [search, setSearch] = useUrlParam('search');
  const [total, setTotal] = useState<number>();
  const { data: secrets } = useAnswer<Page<ResourceSummary>>('/api/resources', {
    kind: 'secret',
    limit: 1000,
  });
  return (
    <div className="screen">
      <ScreenHead title="Secrets" note={<TotalNote total={total} what="in use" />}>
        <SearchBox label="Search by name" value={search} onChange={setSearch} />
      </ScreenHead>
      <Section title="Certificates and roots">
        <PagedTable<CertificateUse>
          label="Certificates and roots"
          path="/api/certificates"
          query={{ search }}
          every={EVERY_MS}
          onTotal={setTotal}
          sort={params['sort'] ?? 'expires_at'}
          onSort={(sort) => change({ sort })}
          rowKey={({ role, serial_number, path, secret }) => `${role} ${serial_number} ${path} ${secret}`}
          link={({ serial_number }) => ({ params: { serial: serial_number } })}
          columns={CERTIFICATES}
          compact
          empty={
            <EmptyState title={search === '' ? 'No TLS' : 'None is called that'}>
              No listener and no cluster that serves has a certificate.
            </EmptyState>
          }
        />
      </Section>
      {secrets !== undefined && secrets.total > 0 && (
        <Section title="From the secret discovery service">
          <ListTable
            label="Secrets"
            rows={secrets.items}
            rowKey={({ name }) => name}
            link={({ name }) => ({ params: { secret: name } })}
            columns={SECRETS}
            compact
            empty={null}
          />
        </Section>
      )}
    </div>
  );
}
