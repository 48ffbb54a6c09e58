// What the tags of stats and their names without tags are, kept with the family: tags are found with regular expressions, and a
// scrape of ten thousand clusters has a million names. Families of one schema share the names, those of one cluster the tags.

import type { StatDefinition, StatTag } from '../../api/stats.ts';
import type { StatFamily } from './stat_family.ts';
import type { TagProducer } from './tag_producer.ts';

/** Tags that several stats share. */
export class TagSet {
  readonly tags: readonly StatTag[];
  /** As the text format of Prometheus has them, and its protobuf format (a character a byte), once they were written so. */
  text: string | undefined = undefined;
  bytes: string | undefined = undefined;

  constructor(tags: readonly StatTag[]) {
    this.tags = tags;
  }
}

interface ExtractedTags {
  readonly names: readonly string[];
  readonly tags: TagSet | readonly TagSet[];
}

export class TagExtractor {
  readonly #producer: TagProducer;
  /** By schema and what tells the names apart. */
  readonly #names = new Map<string, readonly string[]>();
  readonly #tails = new Map<string, readonly string[]>();
  /** Neighbours are mostly of the same cluster. */
  #last = new TagSet([]);

  constructor(producer: TagProducer) {
    this.#producer = producer;
  }

  /** The names of a family without tags, by offset: the same array for all families of a schema that have the same names. */
  namesOf(family: StatFamily): readonly string[] {
    if (family.names === undefined) ({ names: family.names, tags: family.tags } = this.#extract(family));
    return family.names;
  }

  #extract(family: StatFamily): ExtractedTags {
    const { schemaId, prefix, tagged } = family;
    if (tagged !== undefined)
      return { names: this.#intern(schemaId, [tagged.name]), tags: this.#share(tagged.tags) };
    const tails = this.#tailsOf(family);
    const below = this.#producer.produceBelow(prefix, tails);
    if (below !== undefined)
      return { names: this.#namesBelow(schemaId, below.name, tails), tags: this.#share(below.tags) };
    const all = tails.map((tail) => this.#producer.produce(prefix + tail));
    const names = this.#intern(
      schemaId,
      all.map(({ name }) => name),
    );
    const tags = all.map((each) => this.#share(each.tags));
    return { names, tags: tags.every((each) => each === tags[0]) ? (tags[0] as TagSet) : tags };
  }

  #tailsOf({ schemaId, definitions }: StatFamily): readonly string[] {
    let tails = this.#tails.get(schemaId);
    if (tails === undefined)
      this.#tails.set(schemaId, (tails = definitions.map(({ name }: StatDefinition) => name)));
    return tails;
  }

  #namesBelow(schemaId: string, prefix: string, tails: readonly string[]): readonly string[] {
    const key = `${schemaId} ${prefix}`;
    const names = this.#names.get(key);
    if (names !== undefined) return names;
    const interned = this.#intern(
      schemaId,
      tails.map((tail) => prefix + tail),
    );
    this.#names.set(key, interned);
    return interned;
  }

  #intern(schemaId: string, names: readonly string[]): readonly string[] {
    // Begins with a line feed, which no prefix of a family has.
    const key = `\n${schemaId} ${names.join('\n')}`;
    const known = this.#names.get(key);
    if (known === undefined) this.#names.set(key, names);
    return known ?? names;
  }

  #share(tags: readonly StatTag[]): TagSet {
    if (!equalTags(tags, this.#last.tags)) this.#last = new TagSet(tags);
    return this.#last;
  }
}

function equalTags(a: readonly StatTag[], b: readonly StatTag[]): boolean {
  return (
    a.length === b.length && a.every(({ name, value }, i) => name === b[i]?.name && value === b[i].value)
  );
}
