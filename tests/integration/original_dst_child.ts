// Runs inside a network namespace whose iptables redirect port 9999 to 15001: prints where each connection was going.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { ipAddress } from '../../server/common/network/address.ts';
import { ConnectionInfoRecord } from '../../server/common/stream_info/stream_info.ts';
import { OriginalDstConfig } from '../../server/extensions/filters/listener/original_dst/original_dst.ts';

const server = createServer((socket: Socket) => {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const local = ipAddress(socket.localAddress!, socket.localPort!);
  const info = new ConnectionInfoRecord(1, ipAddress(socket.remoteAddress!, socket.remotePort!), local, 'l');
  const filter = new OriginalDstConfig().createFilter();
  filter.onAccept({
    info,
    fd,
    continueFilterChain() {},
    setDynamicMetadata() {},
    streamInfo: undefined as never,
  });
  console.log(`${local.text} ${info.localAddress.text} ${info.localAddressRestored}`);
  socket.end();
});
server.listen(15001, '::');
await once(server, 'listening');
for (const [host, port] of [
  ['127.0.0.1', 9999],
  ['127.0.0.1', 15001],
  ['::1', 9999],
] as const) {
  const client = connect(port, host).resume();
  await once(client, 'close');
}
server.close();
