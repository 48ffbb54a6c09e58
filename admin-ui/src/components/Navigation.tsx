// The screens, in groups. On narrow displays the same in a drawer.

import { Dialog } from '@base-ui/react/dialog';
import { Link, useLocation } from '@tanstack/react-router';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { observeDump, openDump } from '../api/dump.ts';
import { SCREENS, type ScreenEntry } from '../screens/screens.ts';
import { OpenDumpButton } from './DumpDrop.tsx';
import { ThemeChoice } from './ThemeChoice.tsx';

const GROUPS: readonly (readonly [group: ScreenEntry['group'], title: string])[] = [
  ['now', 'Now'],
  ['configuration', 'Configuration'],
  ['proxy', 'Proxy'],
];

export function Navigation() {
  const dump = useSyncExternalStore(observeDump, openDump);
  const shown = SCREENS.filter(({ worksOnDump }) => dump === undefined || worksOnDump === true);
  return (
    <nav className="navigation" aria-label="Screens">
      {GROUPS.map(([group, title]) => {
        const screens = shown.filter((screen) => screen.group === group);
        return screens.length === 0 ? null : (
          <div key={group}>
            <h2 className="navigation-group">{title}</h2>
            <ul>
              {screens.map((screen) => (
                <li key={screen.path}>
                  <Link
                    to={screen.path as '/'}
                    activeOptions={{ exact: screen.path === '/', includeSearch: false }}
                    className="navigation-link"
                  >
                    {screen.title}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        );
      })}
    </nav>
  );
}

export function MenuDrawer() {
  const [open, setOpen] = useState(false);
  const { pathname } = useLocation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: closes when it has brought us somewhere
  useEffect(() => setOpen(false), [pathname]);
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Trigger className="menu-button" aria-label="Menu">
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path d="M1 3h14v1.500H1zM1 7.250h14v1.500H1zM1 11.500h14V13H1z" />
        </svg>
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="drawer">
          <Dialog.Title className="visually-hidden">Menu</Dialog.Title>
          <Navigation />
          <div className="side-foot">
            <ThemeChoice />
            <OpenDumpButton />
            <a href="/?envoy">Envoy’s admin pages</a>
            <Dialog.Close className="link-button">Close menu</Dialog.Close>
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
