// Names with their values, one below the other.

import { Fragment, type ReactNode } from 'react';

/** Pairs with an undefined value are left out. */
export function KeyValues({
  items,
}: {
  items: readonly (readonly [name: string, value: ReactNode | undefined])[];
}) {
  return (
    <dl className="key-values">
      {items.map(([name, value]) =>
        value === undefined ? null : (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ),
      )}
    </dl>
  );
}
