// Dark, light, or the system's.

import { useSyncExternalStore } from 'react';
import { chooseTheme, currentTheme, observeTheme, type Theme } from '../theme.ts';
import { Choice } from './Choice.tsx';

const THEMES: readonly { readonly value: Theme; readonly title: string }[] = [
  { value: 'system', title: 'Auto' },
  { value: 'light', title: 'Light' },
  { value: 'dark', title: 'Dark' },
];

export function ThemeChoice() {
  const theme = useSyncExternalStore(observeTheme, currentTheme);
  return <Choice label="Theme" options={THEMES} value={theme} onChange={chooseTheme} />;
}
