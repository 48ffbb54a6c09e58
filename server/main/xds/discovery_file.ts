// A DiscoveryResponse in a file: JSON, YAML or wire bytes, by the file's name.
// Envoy: MessageUtil::loadFromFile, source/common/protobuf/utility.cc.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { DiscoveryResponse } from '../../../xds-protos/generated/envoy/service/discovery/v3.ts';
import { fromJson } from '../../../xds-protos/json.ts';
import { decode } from '../../../xds-protos/load.ts';
import { ConfigError } from '../../api/config_error.ts';
import { yaml } from '../../common/packages.ts';

const RESPONSE = 'envoy.service.discovery.v3.DiscoveryResponse';

/** Throws an Error that says what is wrong with the file. */
export function readDiscoveryFile(file: string): DiscoveryResponse {
  const bytes = readFileSync(file);
  switch (path.extname(file)) {
    case '.pb':
      return decode(RESPONSE, bytes);
    case '.yaml':
    case '.yml':
      return fromJson(RESPONSE, parseYaml(bytes.toString(), file), { unknownFields: [] });
    default:
      return fromJson(RESPONSE, JSON.parse(bytes.toString()), { unknownFields: [] });
  }
}

/** Throws ConfigError for a file whose format this build does not read. */
export function checkDiscoveryFile(file: string, where: string): void {
  const extension = path.extname(file);
  if (extension === '.pb_text' || extension === '.pb_length_delimited') {
    throw new ConfigError(where, `${extension} files are not supported: use .json, .yaml or .pb`);
  }
}

/** A YAML document as JSON. Throws an Error with `file:line:column`. */
export function parseYaml(text: string, file: string): unknown {
  const { LineCounter, parseDocument } = yaml();
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const error = document.errors[0];
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    throw new Error(`${file}:${line}:${col}: ${error.message}`);
  }
  return document.toJS({ maxAliasCount: 100 });
}
