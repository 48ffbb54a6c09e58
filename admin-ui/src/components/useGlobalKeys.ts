// Keys that work on every screen: / and Ctrl-K for the palette, g and a letter for a screen, ? for help, f for the search field.

import { useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';
import { SCREENS } from '../screens/screens.ts';

/** ms between g and its letter. */
const CHORD_MS = 1_500;

export function useGlobalKeys({
  onPalette,
  onShortcuts,
}: {
  onPalette: () => void;
  onShortcuts: () => void;
}): void {
  const router = useRouter();
  useEffect(() => {
    let goUntil = 0;
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() === 'k' && (event.metaKey || event.ctrlKey)) {
        event.preventDefault();
        onPalette();
        return;
      }
      if (event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
      if (performance.now() < goUntil) {
        goUntil = 0;
        const screen = SCREENS.find(({ key }) => key === event.key);
        if (screen !== undefined) {
          event.preventDefault();
          void router.navigate({ to: screen.path } as never);
        }
        return;
      }
      if (event.key === 'g') goUntil = performance.now() + CHORD_MS;
      else if (event.key === '/') press(event, onPalette);
      else if (event.key === '?') press(event, onShortcuts);
      else if (event.key === 'f')
        press(event, () => document.querySelector<HTMLElement>('[data-search]')?.focus());
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, [router, onPalette, onShortcuts]);
}

function press(event: KeyboardEvent, action: () => void): void {
  event.preventDefault();
  action();
}

/** In a field a letter is a letter; in a dialog the keys are the dialog's. */
function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      target.matches('input, textarea, select') ||
      target.closest('[role=dialog]') !== null)
  );
}
