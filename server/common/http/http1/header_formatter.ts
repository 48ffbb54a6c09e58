// Spelling of header names on HTTP/1: lower-case by default, proper case, or as the peer spelled them.
// Envoy: source/common/http/http1/header_formatter.cc, envoy.http.stateful_header_formatters.preserve_case.

import type { HeaderKeyFormatter } from '../../../api/http/header_map.ts';

/** Capitalizes the first letter and each letter after a character that is neither letter nor digit: `Content-Type`, `Foo$B#$Are`. */
export class ProperCaseFormatter implements HeaderKeyFormatter {
  /** Names repeat, so their spellings are kept; bounded because peers may send names without end. */
  private readonly spellings = new Map<string, string>();
  private static readonly MAX_SPELLINGS = 1024;

  format(name: string): string {
    let spelling = this.spellings.get(name);
    if (spelling !== undefined) return spelling;
    spelling = properCase(name);
    if (this.spellings.size < ProperCaseFormatter.MAX_SPELLINGS) this.spellings.set(name, spelling);
    return spelling;
  }
}

function properCase(name: string): string {
  let spelling = '';
  let capitalize = true;
  for (const character of name) {
    const lower = character >= 'a' && character <= 'z';
    spelling += capitalize && lower ? character.toUpperCase() : character;
    capitalize = !lower && !(character >= '0' && character <= '9');
  }
  return spelling;
}

/** Remembers the spelling of the names of one message. The first spelling of a repeated name wins, as in Envoy. */
export class PreserveCaseFormatter implements HeaderKeyFormatter {
  /** The peer's reason phrase, when it is to be forwarded. */
  reasonPhrase: string | undefined = undefined;
  private readonly spellings = new Map<string, string>();
  private readonly unknownNames: HeaderKeyFormatter | undefined;

  /** `unknownNames` spells the names that were not received (`formatter_type_on_envoy_headers`). */
  constructor(unknownNames: HeaderKeyFormatter | undefined) {
    this.unknownNames = unknownNames;
  }

  /** `name` is the lower-case of `spelling`. */
  processKey(name: string, spelling: string): void {
    if (!this.spellings.has(name)) this.spellings.set(name, spelling);
  }

  format(name: string): string {
    const spelling = this.spellings.get(name);
    if (spelling !== undefined) return spelling;
    return this.unknownNames === undefined ? name : this.unknownNames.format(name);
  }
}
