// The top of a screen: its title (or the way to a part of it), filters and actions. Also names the document.

import { type ReactNode, useEffect } from 'react';
import { ScreenLink, type Target } from './ScreenLink.tsx';

interface Props {
  readonly title: string;
  /** The list that this is one of. */
  readonly parent?: Target & { readonly title: string };
  readonly note?: ReactNode;
  readonly children?: ReactNode;
}

export function ScreenHead({ title, parent, note, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Pilotfish`;
  }, [title]);
  return (
    <div className="screen-head">
      <div className="screen-title">
        {parent !== undefined && (
          <span className="screen-parent">
            <ScreenLink {...parent}>{parent.title}</ScreenLink>
            <span aria-hidden="true">/</span>
          </span>
        )}
        <h1 className={parent === undefined ? '' : 'mono'}>{title}</h1>
        {note !== undefined && <span className="quiet">{note}</span>}
      </div>
      {children !== undefined && <div className="screen-tools">{children}</div>}
    </div>
  );
}
