// Finds the tags in a stat's name and what remains of the name without them. Every pattern sees the whole name.
// Envoy: source/common/stats/tag_producer_impl.cc.

import type { StatsConfig } from '../../../xds-protos/generated/envoy/config/metrics/v3.ts';
import { wrapperValue } from '../../../xds-protos/well_known.ts';
import { at, ConfigError } from '../../api/config_error.ts';
import type { StatTag } from '../../api/stats.ts';
import { DEFAULT_TAG_PATTERNS, type TagPattern } from './default_tags.ts';
import { compileEcmascriptRegex } from './ecmascript_regex.ts';
import type { TaggedName } from './messages.ts';
import { requiredText } from './required_text.ts';

/** `^cluster\.` only concerns names whose first token is `cluster`. */
const FIRST_TOKEN = /^\^([A-Za-z0-9_]+)\\\./;

export class TagProducer {
  readonly #fixed: StatTag[] = [];
  readonly #anyName = new PatternList();
  readonly #byFirstToken = new Map<string, PatternList>();

  /** Throws ConfigError for a bad regex or a tag without regex that is not one of Envoy's. */
  constructor(config: StatsConfig | undefined, path: string) {
    if (config?.use_all_default_tags === undefined || wrapperValue(config.use_all_default_tags) === true) {
      for (const pattern of DEFAULT_TAG_PATTERNS) this.#add(pattern);
    }
    config?.stats_tags.forEach((specifier, index) => {
      const name = specifier.tag_name;
      const at_ = at(at(path, 'stats_tags'), index);
      if (name === '') throw new ConfigError(at(at_, 'tag_name'), 'tag_name cannot be empty');
      if (specifier.fixed_value !== undefined) this.#fixed.push({ name, value: specifier.fixed_value });
      else if (specifier.regex !== undefined && specifier.regex !== '') {
        const regex = compileEcmascriptRegex(specifier.regex, at(at_, 'regex'));
        this.#add({ tag: name, regex, hint: requiredText(specifier.regex), ofTokens: false });
      } else this.#addDefault(name, at_);
    });
  }

  /** The tags of `name`, in Envoy's order, and the name without them. */
  produce(name: string): TaggedName {
    const tags: StatTag[] = [];
    const cuts: [number, number][] = [];
    for (const pattern of this.#anyName.candidates(name)) extract(pattern, name, tags, cuts);
    tags.push(...this.#fixed);
    const dot = name.indexOf('.');
    const list = this.#byFirstToken.get(dot < 0 ? name : name.slice(0, dot));
    for (const pattern of list?.candidates(name) ?? []) extract(pattern, name, tags, cuts);
    return { name: cutOut(name, cuts), tags };
  }

  /**
   * The tags of all names that are `prefix` and one of `tails`, with what remains of the prefix. Undefined where they are not
   * seen to be the same for all of them.
   */
  produceBelow(prefix: string, tails: readonly string[]): TaggedName | undefined {
    const dot = prefix.indexOf('.');
    if (dot < 0) return undefined;
    const lists = [this.#anyName, this.#byFirstToken.get(prefix.slice(0, dot))];
    const same = lists.every((list) => list === undefined || list.dependsOnPrefix(prefix, tails));
    return same ? this.produce(prefix) : undefined;
  }

  #add(pattern: TagPattern): void {
    const token = FIRST_TOKEN.exec(pattern.regex.source)?.[1];
    let list = token === undefined ? this.#anyName : this.#byFirstToken.get(token);
    if (list === undefined) this.#byFirstToken.set(token as string, (list = new PatternList()));
    list.add(pattern);
  }

  #addDefault(name: string, path: string): void {
    const patterns = DEFAULT_TAG_PATTERNS.filter((pattern) => pattern.tag === name);
    if (patterns.length === 0) {
      throw new ConfigError(
        path,
        `No regex specified for tag specifier and no default regex for name: '${name}'`,
      );
    }
    for (const pattern of patterns) this.#add(pattern);
  }
}

/** Patterns in their order. Most names have the hint of none, which one regex sees quicker than a dozen. */
class PatternList {
  readonly #all: TagPattern[] = [];
  readonly #unhinted: TagPattern[] = [];
  #hints: RegExp | undefined;

  add(pattern: TagPattern): void {
    this.#all.push(pattern);
    if (pattern.hint === '') this.#unhinted.push(pattern);
    else this.#hints = new RegExp(this.#hints ? `${this.#hints.source}|${pattern.hint}` : pattern.hint);
  }

  /** Those that may match. */
  candidates(name: string): readonly TagPattern[] {
    return this.#hints?.test(name) ? this.#all : this.#unhinted;
  }

  /** Do the patterns find in each of the names what they find in the prefix? */
  dependsOnPrefix(prefix: string, tails: readonly string[]): boolean {
    if (!this.#unhinted.every(({ ofTokens, regex }) => ofTokens && regex.test(prefix))) return false;
    const hints = this.#hints;
    return hints === undefined || !tails.some((tail) => hints.test(prefix + tail));
  }
}

function extract(pattern: TagPattern, name: string, tags: StatTag[], cuts: [number, number][]): void {
  const match = pattern.regex.exec(name);
  const cut = match?.indices?.[1];
  if (match === null || cut === undefined || tags.some((tag) => tag.name === pattern.tag)) return;
  cuts.push(cut);
  tags.push({ name: pattern.tag, value: match[2] ?? name.slice(...cut) });
}

/** Pieces may overlap or touch. */
function cutOut(name: string, cuts: [number, number][]): string {
  if (cuts.length === 0) return name;
  cuts.sort((a, b) => a[0] - b[0]);
  let rest = '';
  let kept = 0;
  for (const [start, end] of cuts) {
    if (start > kept) rest += name.slice(kept, start);
    kept = Math.max(kept, end);
  }
  return rest + name.slice(kept);
}
