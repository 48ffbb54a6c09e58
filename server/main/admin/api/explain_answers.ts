// The answers of /explain.

import type { Json } from '../../../../xds-protos/json.ts';
import { type Description, DescriptionError, describeCaptured } from '../../explain/description.ts';
import { explain } from '../../explain/explain.ts';
import { describeQuestion, type Question } from '../../explain/question.ts';
import type { AdminContext } from '../context.ts';
import { ApiError, type ApiResult } from './endpoint.ts';
import { findRequest } from './request_answers.ts';

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
