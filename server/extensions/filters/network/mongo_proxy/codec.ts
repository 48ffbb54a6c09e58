// Cuts one direction of a MongoDB connection into messages and reads those that Envoy's filter knows.
// https://www.mongodb.com/docs/manual/legacy-opcodes/; Envoy: source/extensions/filters/network/mongo_proxy/codec_impl.cc.
// As Envoy's, it gives up at OP_MSG, which has no op codes to count: from then on bytes are only passed on.

import { type BsonDocument, MongoReader } from './bson.ts';

const HEADER_BYTES = 16;
/** Longest message. Source: MongoDB's maxMessageSizeBytes. */
const MAX_MESSAGE_BYTES = 48_000_000;

interface Header {
  readonly requestId: number;
  readonly responseTo: number;
}
export interface QueryMessage extends Header {
  readonly type: 'query';
  readonly flags: number;
  readonly collection: string;
  readonly query: BsonDocument;
}
export interface ReplyMessage extends Header {
  readonly type: 'reply';
  readonly flags: number;
  readonly cursorId: bigint;
  readonly documentCount: number;
  readonly documentBytes: number;
}
export interface InsertMessage extends Header {
  readonly type: 'insert';
  readonly collection: string;
}
export interface OtherMessage extends Header {
  readonly type: 'get_more' | 'kill_cursors' | 'command' | 'command_reply';
}
export type MongoMessage = QueryMessage | ReplyMessage | InsertMessage | OtherMessage;

export class MongoDecoder {
  /** Pieces of the message that has not come in full. */
  #pieces: Buffer[] = [];
  #held = 0;
  /** Bytes the message at the front will have; 0 while that is not known. */
  #needed = 0;

  /** Gives each complete message to `take`. False when the bytes are not MongoDB's: call it no more. Never throws itself. */
  decode(bytes: Uint8Array, start: number, end: number, take: (message: MongoMessage) => boolean): boolean {
    this.#pieces.push(Buffer.from(bytes.subarray(start, end)));
    this.#held += end - start;
    while (this.#held >= Math.max(4, this.#needed)) {
      const all = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces, this.#held);
      this.#pieces = [all];
      this.#needed = all.readInt32LE(0);
      if (this.#needed < HEADER_BYTES || this.#needed > MAX_MESSAGE_BYTES) return false;
      if (all.length < this.#needed) return true;
      const message = parseMessage(all.subarray(0, this.#needed));
      if (message === undefined || !take(message)) return false;
      const rest = all.subarray(this.#needed);
      this.#pieces = rest.length === 0 ? [] : [rest];
      this.#held = rest.length;
      this.#needed = 0;
    }
    return true;
  }
}

/** Undefined for messages that are broken or of an unknown kind. */
function parseMessage(bytes: Buffer): MongoMessage | undefined {
  const reader = new MongoReader(bytes, 4);
  const header = { requestId: reader.int32(), responseTo: reader.int32() };
  const message = parseBody(reader.int32(), header, reader);
  return reader.ok ? message : undefined;
}

function parseBody(opCode: number, header: Header, reader: MongoReader): MongoMessage | undefined {
  switch (opCode) {
    case 1:
      return parseReply(header, reader);
    case 2002:
      return parseInsert(header, reader);
    case 2004:
      return parseQuery(header, reader);
    case 2005:
      reader.int32();
      reader.cstring();
      reader.int32();
      reader.int64();
      return { type: 'get_more', ...header };
    case 2007:
      reader.int32();
      reader.skip(reader.int32() * 8);
      return { type: 'kill_cursors', ...header };
    case 2010:
      reader.cstring();
      reader.cstring();
      return documents(reader, { type: 'command', ...header });
    case 2011:
      return documents(reader, { type: 'command_reply', ...header });
    default:
      return undefined;
  }
}

function parseReply(header: Header, reader: MongoReader): ReplyMessage {
  const flags = reader.int32();
  const cursorId = reader.int64();
  reader.int32();
  const documentCount = reader.int32();
  let documentBytes = 0;
  for (let i = 0; i < documentCount && reader.ok; i++) documentBytes += reader.document().byteSize;
  return { type: 'reply', ...header, flags, cursorId, documentCount, documentBytes };
}

function parseInsert(header: Header, reader: MongoReader): InsertMessage {
  reader.int32();
  const collection = reader.cstring();
  while (reader.left > 0) reader.document();
  return { type: 'insert', ...header, collection };
}

function parseQuery(header: Header, reader: MongoReader): QueryMessage {
  const flags = reader.int32();
  const collection = reader.cstring();
  reader.int32();
  reader.int32();
  const query = reader.document();
  if (reader.left > 0) reader.document();
  return { type: 'query', ...header, flags, collection, query };
}

/** OP_COMMAND and OP_COMMANDREPLY: two documents and more. */
function documents(reader: MongoReader, message: OtherMessage): OtherMessage {
  reader.document();
  reader.document();
  while (reader.left > 0) reader.document();
  return message;
}
