// What is around every screen: who the proxy is and how it is, the navigation, search, and the keys that work everywhere.

import { Outlet } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState, useSyncExternalStore } from 'react';
import { observeDump, openDump } from '../api/dump.ts';
import { DumpDrop, OpenDumpButton } from './DumpDrop.tsx';
import { LostBanner } from './LostBanner.tsx';
import { MenuDrawer, Navigation } from './Navigation.tsx';
import { ProxyState } from './ProxyState.tsx';
import { ThemeChoice } from './ThemeChoice.tsx';
import { Toasts } from './Toasts.tsx';
import { useGlobalKeys } from './useGlobalKeys.ts';

const loadPalette = () => import('../screens/palette/Palette.tsx');
const Palette = lazy(() => loadPalette().then(({ Palette }) => ({ default: Palette })));
const ShortcutsDialog = lazy(() =>
  import('./ShortcutsDialog.tsx').then(({ ShortcutsDialog }) => ({ default: ShortcutsDialog })),
);

type Overlay = 'none' | 'palette' | 'shortcuts';

export function Shell() {
  const [overlay, setOverlay] = useState<Overlay>('none');
  const dump = useSyncExternalStore(observeDump, openDump);
  useGlobalKeys({ onPalette: () => setOverlay('palette'), onShortcuts: () => setOverlay('shortcuts') });
  const close = (): void => setOverlay('none');
  // What an open file answers is not what the proxy answers: each starts anew.
  const source = dump === undefined ? 'proxy' : dump.name;
  useEffect(() => {
    document.documentElement.dataset['ready'] = '';
    // Before it is asked for: who types right after its key must not wait for it.
    void loadPalette();
  }, []);
  return (
    <div className="shell">
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <header className="bar">
        <MenuDrawer />
        <ProxyState />
        <button
          type="button"
          className="bar-search"
          onClick={() => setOverlay('palette')}
          aria-label="Search or go to"
          aria-keyshortcuts="/ Control+K Meta+K"
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d="M7 2a5 5 0 1 0 3 9l3.500 3.500 1-1L11 10A5 5 0 0 0 7 2m0 1.500a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7" />
          </svg>
          <span>Search or go to</span>
          <kbd>/</kbd>
        </button>
      </header>
      <div className="side">
        <a className="brand" href="/ui/">
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d="M1 8c2.500-4 6.500-4.500 9.500-2L15 3.500v9L10.500 10C7.500 12.500 3.500 12 1 8z" />
          </svg>
          Pilotfish
        </a>
        <Navigation />
        <div className="side-foot">
          <ThemeChoice />
          <OpenDumpButton />
          <a href="/?envoy">Envoy’s admin pages</a>
          <button type="button" className="link-button" onClick={() => setOverlay('shortcuts')}>
            Keyboard <kbd>?</kbd>
          </button>
        </div>
      </div>
      <main id="main" tabIndex={-1}>
        <LostBanner />
        <DumpDrop />
        <Suspense key={source}>
          <Outlet />
        </Suspense>
      </main>
      <Toasts />
      <Suspense>
        {overlay === 'palette' && <Palette onClose={close} />}
        {overlay === 'shortcuts' && <ShortcutsDialog onClose={close} />}
      </Suspense>
    </div>
  );
}
