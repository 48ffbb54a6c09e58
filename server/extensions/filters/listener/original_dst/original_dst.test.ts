import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { ipAddress } from '../../../../common/network/address.ts';
import {
  duplicateFd,
  getSocketOption,
  parseSockaddr,
  setSocketOption,
} from '../../../../common/network/socket_option.ts';
import { ConnectionInfoRecord } from '../../../../common/stream_info/stream_info.ts';
import { OriginalDstConfig } from './original_dst.ts';

const linux = process.platform === 'linux' ? false : 'SO_ORIGINAL_DST is Linux';

async function withAccepted(use: (socket: Socket, fd: number) => void | Promise<void>): Promise<void> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  try {
    await use(socket, (socket as unknown as { _handle: { fd: number } })._handle.fd);
  } finally {
    socket.destroy();
    client.destroy();
    server.close();
  }
}

test('a connection that was not redirected keeps its address', { skip: linux }, () =>
  withAccepted((socket, fd) => {
    const local = ipAddress(socket.localAddress!, socket.localPort!);
    const info = new ConnectionInfoRecord(
      1,
      ipAddress(socket.remoteAddress!, socket.remotePort!),
      local,
      'l',
    );
    new OriginalDstConfig().createFilter().onAccept({
      info,
      fd,
      continueFilterChain: () => {},
      setDynamicMetadata: () => {},
      streamInfo: undefined as never,
    });
    assert.equal(info.localAddress, local);
    assert.equal(info.localAddressRestored, false);
  }),
);

test('addresses from the kernel', () => {
  const v4 = Buffer.from('02001f900a000001', 'hex');
  assert.equal(parseSockaddr(v4, 4).text, '10.0.0.1:8080');
  const v6 = Buffer.from(`0a001f9000000000${'fd00'.padEnd(28, '0')}0007`, 'hex');
  assert.equal(parseSockaddr(v6, 6).text, '[fd00::7]:8080');
});

test('socket options and duplicates', { skip: linux }, () =>
  withAccepted((_socket, fd) => {
    const SOL_SOCKET = 1;
    const SO_KEEPALIVE = 9;
    assert.equal(setSocketOption(fd, SOL_SOCKET, SO_KEEPALIVE, Buffer.from([1, 0, 0, 0])), true);
    const copy = duplicateFd(fd);
    assert.notEqual(copy, fd);
    assert.deepEqual([...getSocketOption(copy, SOL_SOCKET, SO_KEEPALIVE, 4)!], [1, 0, 0, 0]);
    assert.equal(getSocketOption(-1, SOL_SOCKET, SO_KEEPALIVE, 4), undefined);
    assert.throws(() => duplicateFd(-1), /dup\(-1\) failed with errno 9/);
  }),
);
