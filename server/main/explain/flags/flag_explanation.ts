// What is told of a response flag or of response code details of one request: what it means, why it is there now, and what to change.

import type { ResourceLink } from '../explanation.ts';

export interface FlagExplanation {
  /** Short, as %RESPONSE_FLAGS%; '' where details are explained that no flag stands for. */
  readonly flag: string;
  /** Long, as %RESPONSE_FLAGS_LONG%, or the details. */
  readonly name: string;
  readonly title: string;
  /** Specific: with names and numbers. */
  readonly reason: string;
  readonly evidence: readonly Evidence[];
  readonly advice: readonly string[];
  /** Part of it is how things are now, which may not be how they were. */
  readonly live: boolean;
}

export interface Evidence {
  readonly name: string;
  readonly value: string;
  readonly link?: ResourceLink;
}

/** What a cause says; flag, name and title are those of the catalogue. */
export type Cause = Omit<FlagExplanation, 'flag' | 'name' | 'title'>;
