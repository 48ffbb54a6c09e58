// The answers of /explain.

import type { Json } from '../../../../xds-protos/json.ts';
import { describeCurl } from '../../explain/curl.ts';
import {
  type Description,
  DescriptionError,
  describe,
  describeCaptured,
  type PostedConnection,
  type PostedRequest,
} from '../../explain/description.ts';
import { explain } from '../../explain/explain.ts';
import type { AdminContext } from '../context.ts';
import { ApiError, type ApiResult } from './endpoint.ts';
import { findRequest } from './request_answers.ts';

interface Question {
  readonly curl?: string;
  readonly captured?: string;
  readonly request?: PostedRequest;
  readonly connection?: PostedConnection;
}

export async function answerQuestion(
  context: AdminContext,
  body: Readonly<Record<string, Json>>,
): Promise<ApiResult> {
  const description = await described(body as Question, context);
  const explanation = await explain(await context.configuration(), description);
  return { json: explanation as unknown as Json };
}

async function described(question: Question, context: AdminContext): Promise<Description> {
  const { captured } = question;
  if (captured !== undefined) return describeCaptured(await findRequest(captured, context));
  try {
    return describeQuestion(question);
  } catch (error) {
    if (error instanceof DescriptionError) throw new ApiError(400, error.message);
    throw error;
  }
}

/** Throws DescriptionError. */
export function describeQuestion({ curl, request, connection = {} }: Question): Description {
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
