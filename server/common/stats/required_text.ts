// A text that is in everything a regex matches, read off the regex's source. Looking for it is much quicker than running
// the regex on each of a million names, and most families of stats are left out at once.

/** Classes, flags, and escapes that are not of punctuation: too much to understand for what it gives. */
const NOT_PLAIN = /\[|\(\?|\\/;

/** The longest run of letters, digits and underscores that is surely there, '' when none is seen. `pattern` is valid RE2 syntax. */
export function requiredText(pattern: string): string {
  let plain = pattern.replaceAll(/\\\W/g, '.');
  if (NOT_PLAIN.test(plain)) return '';
  // Groups may be optional or hold alternatives; the innermost first.
  for (let before = ''; before !== plain; ) {
    before = plain;
    plain = plain.replaceAll(/\([^()]*\)/g, '.');
  }
  if (plain.includes('|')) return '';
  // A quantifier takes the character before it away; its own numbers are no text.
  const runs = plain.replaceAll(/\w[?*]|\w?\{[^}]*\}/g, '.').match(/\w+/g) ?? [];
  return runs.reduce((longest, run) => (run.length > longest.length ? run : longest), '');
}
