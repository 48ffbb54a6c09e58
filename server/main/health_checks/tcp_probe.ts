// TCP: a connection is enough, or bytes are sent and others are waited for.
// Envoy: source/extensions/health_checkers/tcp/health_checker_impl.cc.

import type net from 'node:net';
import { ipAddress } from '../../common/network/address.ts';
import type { TcpProbeConfig } from '../../common/upstream/health_check_config.ts';
import {
  v1Header,
  v2Header,
} from '../../extensions/transport_sockets/proxy_protocol/proxy_protocol_header.ts';
import {
  connectProbe,
  holdsInOrder,
  NETWORK_FAILURE,
  type Probe,
  type ProbeResult,
  type ProbeTarget,
  SUCCESS,
} from './probe.ts';

/** What is kept of an answer that never matches, bytes. */
const MAX_ANSWER = 65_536;

export class TcpProbe implements Probe {
  readonly #config: TcpProbeConfig;
  readonly #target: ProbeTarget;
  readonly #reuse: boolean;
  #socket: net.Socket | undefined;
  #connecting: net.Socket | undefined;
  #received = Buffer.alloc(0);
  #onResult: ((result: ProbeResult) => void) | undefined;

  constructor(config: TcpProbeConfig, target: ProbeTarget, reuse: boolean) {
    this.#config = config;
    this.#target = target;
    this.#reuse = reuse;
  }

  start(onResult: (result: ProbeResult) => void): void {
    this.#onResult = onResult;
    this.#received = Buffer.alloc(0);
    if (this.#socket !== undefined) {
      this.#send(this.#socket);
      return;
    }
    this.#connecting = connectProbe(this.#target, (socket) => {
      this.#connecting = undefined;
      if (socket === undefined) this.#finish(NETWORK_FAILURE);
      else this.#use(socket);
    });
  }

  #use(socket: net.Socket): void {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#finish(NETWORK_FAILURE);
    });
    this.#send(socket);
  }

  abort(): void {
    this.#onResult = undefined;
    const open = this.#socket ?? this.#connecting;
    this.#socket = undefined;
    this.#connecting = undefined;
    open?.destroy();
  }

  close(): void {
    this.abort();
  }

  #send(socket: net.Socket): void {
    const { send, receive, proxyProtocol } = this.#config;
    if (proxyProtocol !== undefined)
      socket.write(Buffer.concat([proxyHeader(proxyProtocol, socket), send ?? Buffer.alloc(0)]));
    else if (send !== undefined) socket.write(send);
    if (receive.length === 0) this.#succeed(false);
  }

  #onData(bytes: Buffer): void {
    if (this.#onResult === undefined) return;
    this.#received = Buffer.concat([this.#received, bytes]).subarray(-MAX_ANSWER);
    if (holdsInOrder(this.#config.receive, this.#received)) this.#succeed(this.#reuse);
  }

  #succeed(keep: boolean): void {
    if (!keep) {
      const socket = this.#socket;
      this.#socket = undefined;
      socket?.destroy();
    }
    this.#finish(SUCCESS);
  }

  #finish(result: ProbeResult): void {
    const onResult = this.#onResult;
    this.#onResult = undefined;
    onResult?.(result);
  }
}

/** Version 1 tells the addresses of the check's own connection, version 2 that it is the proxy's own. */
function proxyHeader(version: 'V1' | 'V2', socket: net.Socket): Buffer {
  if (version === 'V2') return v2Header(undefined);
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = socket;
  return v1Header({
    source: ipAddress(localAddress, localPort),
    destination: ipAddress(remoteAddress, remotePort),
  });
}
