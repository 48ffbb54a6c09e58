// What is walked through: every screen of the dashboard, and what can be opened on it.

export interface Walk {
  /** Of the picture. */
  readonly name: string;
  /** Below /ui. */
  readonly path: string;
}

export const WALKS: readonly Walk[] = [{ name: 'overview', path: '/' }];
