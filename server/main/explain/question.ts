// A question as it is posted, or read from a file, made into a description.

import { describeCurl } from './curl.ts';
import {
  type Description,
  DescriptionError,
  describe,
  type PostedConnection,
  type PostedRequest,
} from './description.ts';

export interface Question {
  readonly curl?: string;
  /** Only of a running proxy. */
  readonly captured?: string;
  readonly request?: PostedRequest;
  readonly connection?: PostedConnection;
}

/** Throws DescriptionError. */
export function describeQuestion({ curl, request, connection = {}, captured }: Question): Description {
  if (captured !== undefined) throw new DescriptionError('only a running proxy knows captured requests');
  if (curl !== undefined && request !== undefined)
    throw new DescriptionError('give a curl line or a request, not both');
  checkHeaders(request);
  if (curl === undefined) return describe(request, connection);
  const line = describeCurl(curl);
  return describe(line.request, { ...line.connection, ...connection });
}

function checkHeaders(request: PostedRequest | undefined): void {
  for (const [name, value] of Object.entries(request?.headers ?? {})) {
    const values = Array.isArray(value) ? value : [value];
    if (!values.every((each) => typeof each === 'string'))
      throw new DescriptionError(`request.headers.${name} must be a text or a list of texts`);
  }
}
