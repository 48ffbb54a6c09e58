// llhttp, the parser of Node and undici, as an oracle: an independent and strict reading of the same bytes.

import { createRequire } from 'node:module';

/** llhttp_type_t */
export const REQUEST = 1;
export const RESPONSE = 2;

export interface OracleMessage {
  method: string;
  target: string;
  status: number;
  headerCount: number;
  body: string;
  complete: boolean;
}

export interface Reading {
  messages: OracleMessage[];
  /** llhttp's reason, or undefined when it had nothing against the bytes. */
  error: string | undefined;
}

/** The little of WebAssembly that is needed: the project's types know neither the DOM nor it. */
interface WasmApi {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: object };
}

interface Exports {
  memory: { readonly buffer: ArrayBuffer };
  _initialize(): void;
  malloc(size: number): number;
  free(pointer: number): void;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_execute(parser: number, bytes: number, length: number): number;
  llhttp_get_error_reason(parser: number): number;
  llhttp_get_method(parser: number): number;
  llhttp_method_name(method: number): number;
}

let reading: Reading = { messages: [], error: undefined };
/** Whether each response answers a HEAD. */
let answersHead = false;

function current(): OracleMessage {
  return reading.messages[reading.messages.length - 1];
}
function text(pointer: number, length: number): string {
  return Buffer.from(wasm.memory.buffer, pointer, length).toString('latin1');
}
function cString(pointer: number): string {
  const bytes = new Uint8Array(wasm.memory.buffer);
  return pointer === 0 ? '' : text(pointer, bytes.indexOf(0, pointer) - pointer);
}

const wasm = instantiate();

function instantiate(): Exports {
  const load = createRequire(import.meta.url);
  const { WebAssembly } = globalThis as unknown as { WebAssembly: WasmApi };
  const module = new WebAssembly.Module(load('undici/lib/llhttp/llhttp-wasm.js'));
  const { exports } = new WebAssembly.Instance(module, {
    env: {
      wasm_on_message_begin: () => {
        reading.messages.push({
          method: '',
          target: '',
          status: 0,
          headerCount: 0,
          body: '',
          complete: false,
        });
        return 0;
      },
      wasm_on_url: (_parser: number, at: number, length: number) => {
        current().target += text(at, length);
        return 0;
      },
      wasm_on_status: () => 0,
      wasm_on_header_field: () => {
        current().headerCount++;
        return 0;
      },
      wasm_on_header_value: () => 0,
      wasm_on_headers_complete: (parser: number, status: number) => {
        current().status = status;
        if (status === 0) current().method = cString(wasm.llhttp_method_name(wasm.llhttp_get_method(parser)));
        return answersHead ? 1 : 0;
      },
      wasm_on_body: (_parser: number, at: number, length: number) => {
        current().body += text(at, length);
        return 0;
      },
      wasm_on_message_complete: () => {
        current().complete = true;
        return 0;
      },
    },
  });
  return exports as Exports;
}

/** Reads latin1 text with no leniency at all. Trailers count as headers. */
export function readWithLlhttp(type: number, input: string, isHead = false): Reading {
  reading = { messages: [], error: undefined };
  answersHead = isHead;
  const bytes = Buffer.from(input, 'latin1');
  const parser = wasm.llhttp_alloc(type);
  const pointer = wasm.malloc(bytes.length + 1);
  new Uint8Array(wasm.memory.buffer, pointer, bytes.length).set(bytes);
  const code = wasm.llhttp_execute(parser, pointer, bytes.length);
  if (code !== 0) reading.error = cString(wasm.llhttp_get_error_reason(parser));
  wasm.free(pointer);
  wasm.llhttp_free(parser);
  return reading;
}
