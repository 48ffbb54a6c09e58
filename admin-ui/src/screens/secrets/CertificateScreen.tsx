// The certificates with a serial number, or of a secret: whose they are, who signed them, until when, and who uses them.

import type { CertificateUse } from '../../api/proxyTypes.ts';
import { useAnswer } from '../../api/queries.ts';
import type { Page } from '../../api/types.ts';
import { EmptyState, NoAnswer } from '../../components/EmptyState.tsx';
import { KeyValues } from '../../components/KeyValues.tsx';
import { ScreenHead } from '../../components/ScreenHead.tsx';
import { ScreenLink } from '../../components/ScreenLink.tsx';
import { Section } from '../../components/Section.tsx';
import { clock } from '../../format.ts';
import { resourceTarget } from '../resourceTarget.ts';
import { Expiry } from './Expiry.tsx';

/** As many as the proxy gives at a time. */
const LIMIT = 1000;

export function CertificateScreen({
  serial,
  secret,
}: {
  serial: string | undefined;
  secret: string | undefined;
}) {
  const { data, error } = useAnswer<Page<CertificateUse>>('/api/certificates', { limit: LIMIT });
  const found = data?.items.filter((use) =>
    serial === undefined ? use.secret === secret : use.serial_number === serial,
  );
  return (
    <div className="screen">
      <ScreenHead
        title={secret ?? found?.[0]?.name ?? serial ?? ''}
        parent={{ title: 'Secrets', params: {} }}
      >
        {secret !== undefined && (
          <ScreenLink screen="/config" params={{ kind: 'secret', name: secret }} className="button">
            Versions
          </ScreenLink>
        )}
      </ScreenHead>
      {data === undefined && <NoAnswer error={error} />}
      {found?.length === 0 && (
        <EmptyState title="No certificate of it is in use">
          It may hold another kind of secret, or nobody that serves uses it.
        </EmptyState>
      )}
      {found?.map((use) => (
        <Section
          key={`${use.role} ${use.serial_number} ${use.path}`}
          title={use.role === 'certificate' ? 'Certificate' : 'Trusted root'}
          note={use.subject}
        >
          <KeyValues items={facts(use)} />
        </Section>
      ))}
    </div>
  );
}

function facts(use: CertificateUse): Parameters<typeof KeyValues>[0]['items'] {
  return [
    ['Expires', expiryOf(use)],
    ['Valid from', clock(use.valid_from)],
    ['Names', use.subject_alt_names.length === 0 ? undefined : mono(use.subject_alt_names.join(', '))],
    ['Issued by', mono(use.issuer)],
    ['Serial number', mono(use.serial_number)],
    ['Secret', use.secret === '' ? undefined : mono(use.secret)],
    ['From', use.path === '<inline>' ? 'part of the configuration' : mono(use.path)],
    ['Used by', usersOf(use)],
  ];
}

function mono(text: string) {
  return <span className="mono">{text}</span>;
}

function expiryOf({ valid_from: from, expires_at: to }: CertificateUse) {
  return (
    <>
      <Expiry from={from} to={to} /> <span className="quiet">{clock(to)}</span>
    </>
  );
}

function usersOf({ used_by: users }: CertificateUse) {
  return (
    <ul>
      {users.map(({ kind, name }) => (
        <li key={`${kind} ${name}`}>
          <span className="quiet">{kind}</span>{' '}
          <ScreenLink {...resourceTarget(kind, name)}>{name}</ScreenLink>
        </li>
      ))}
    </ul>
  );
}
