// Which encoding a response gets, by the client's accept-encoding and all compressors of the filter chain.
// Envoy: CompressorFilter::chooseEncoding in source/extensions/filters/http/compressor/compressor_filter.cc.

/** What the choice needs to know of a compressor in the chain. */
export interface Candidate {
  readonly contentEncoding: string;
  /** Wins where q-values are equal. */
  readonly chooseFirst: boolean;
  /** `contentType` is lower-case, without parameters. */
  allowsContentType(contentType: string): boolean;
}

/** Why an encoding was chosen: each has a counter of its own. */
export type ChoiceReason = 'compressor' | 'identity' | 'wildcard' | 'not_valid';

export interface EncodingChoice {
  readonly encoding: string;
  readonly reason: ChoiceReason;
}

const IDENTITY = 'identity';
const WILDCARD = '*';
const NOT_VALID: EncodingChoice = Object.freeze({ encoding: IDENTITY, reason: 'not_valid' });
const CHOSEN_IDENTITY: EncodingChoice = Object.freeze({ encoding: IDENTITY, reason: 'identity' });
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** `contentType` is that of the response, lower-case and without parameters; '' when there is none. */
export function chooseEncoding(
  acceptEncoding: string,
  contentType: string,
  candidates: readonly Candidate[],
): EncodingChoice {
  const allowed = allowedCompressors(contentType, candidates);
  const asked = parseAcceptEncoding(acceptEncoding);
  for (const { encoding, q } of asked) if (q === 0) allowed.delete(encoding);
  if (asked.length === 0 || allowed.size === 0) return NOT_VALID;

  let best = IDENTITY;
  let bestQ = 0;
  for (const { encoding, q } of asked) {
    const compressor = allowed.get(encoding);
    if (compressor === undefined && encoding !== IDENTITY && encoding !== WILDCARD) continue;
    if (q > bestQ || (q === bestQ && compressor?.chooseFirst)) {
      best = encoding;
      bestQ = q;
    }
  }
  if (bestQ === 0) return NOT_VALID;
  if (best === IDENTITY) return CHOSEN_IDENTITY;
  if (best !== WILDCARD) return { encoding: best, reason: 'compressor' };
  const [first] = allowed.keys();
  return { encoding: first!, reason: 'wildcard' };
}

/** By encoding, in the order of the chain. Of several for one encoding the first counts. */
function allowedCompressors(contentType: string, candidates: readonly Candidate[]): Map<string, Candidate> {
  const allowed = new Map<string, Candidate>();
  for (const one of candidates) {
    if (contentType !== '' && !one.allowsContentType(contentType)) continue;
    if (!allowed.has(one.contentEncoding)) allowed.set(one.contentEncoding, one);
  }
  return allowed;
}

/** Tokens whose q-value is no number are left out, as if they had not been sent. */
function parseAcceptEncoding(value: string): { encoding: string; q: number }[] {
  const asked: { encoding: string; q: number }[] = [];
  for (const token of value.split(',')) {
    if (token === '') continue;
    const semicolon = token.indexOf(';');
    const encoding = (semicolon < 0 ? token : token.slice(0, semicolon)).trim();
    const q = semicolon < 0 ? 1 : qValue(token.slice(semicolon + 1));
    if (q !== undefined) asked.push({ encoding, q });
  }
  return asked;
}

/** Only a first parameter named q counts. A number has the precision of Envoy's float. */
function qValue(parameters: string): number | undefined {
  const equals = parameters.indexOf('=');
  if (equals < 0 || parameters.slice(0, equals).trim().toLowerCase() !== 'q') return 1;
  const text = parameters.slice(equals + 1).trim();
  return DECIMAL.test(text) ? Math.fround(Number(text)) : undefined;
}
