// A worker that explains requests by an opened /config_dump file, with the code that `pilotfish explain --config-dump` runs. Nothing
// leaves the browser.

import './node_globals.ts';
import { configDumpSource } from '../../../server/main/explain/config_dump_source.ts';
import { CompiledConfiguration } from '../../../server/main/explain/configuration.ts';
import { explain } from '../../../server/main/explain/explain.ts';
import { describeQuestion, type Question } from '../../../server/main/explain/question.ts';

/** The file's JSON first, then a question each. */
export type ToExplainer = { readonly dump: unknown } | { readonly id: number; readonly question: Question };

export type FromExplainer =
  | { readonly id: number; readonly explanation: object }
  | { readonly id: number; readonly error: string };

let configuration: CompiledConfiguration | undefined;
let broken = '';

addEventListener('message', async ({ data }: MessageEvent<ToExplainer>) => {
  if ('dump' in data) {
    try {
      configuration = new CompiledConfiguration(configDumpSource(data.dump));
    } catch (error) {
      broken = (error as Error).message;
    }
    return;
  }
  const { id, question } = data;
  try {
    if (configuration === undefined) throw new Error(broken);
    const explanation = await explain(configuration, describeQuestion(question));
    postMessage({ id, explanation } satisfies FromExplainer);
  } catch (error) {
    postMessage({ id, error: (error as Error).message } satisfies FromExplainer);
  }
});
