import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { create } from '../../../xds-protos/load.ts';
import { CidrRange, formatAddress, ipAddress, parseAddress, parseIp } from './address.ts';
import { CidrTable } from './cidr_table.ts';

const socket = (address: string, port: number) =>
  create('envoy.config.core.v3.Address', { socket_address: { address, port_value: port } });

test('configured addresses', () => {
  assert.deepEqual(parseAddress(socket('1.2.3.4', 80), 'address'), {
    ip: '1.2.3.4',
    port: 80,
    text: '1.2.3.4:80',
  });
  assert.equal(parseAddress(socket('0:0::0:1', 80), 'address').text, '[::1]:80');
  assert.equal(parseAddress({ pipe: { path: '/run/x', mode: 0 } }, 'address').text, '/run/x');
  assert.throws(
    () => parseAddress(socket('host', 80), 'address'),
    /^ConfigError: address.socket_address.address: malformed IP address: host/,
  );
  assert.throws(
    () => parseAddress({ pipe: { path: 'x'.repeat(108), mode: 0 } }, 'a'),
    /a\.pipe\.path: Path "x+" exceeds/,
  );
  assert.throws(
    () => parseAddress({ envoy_internal_address: { endpoint_id: '' } }, 'a'),
    /internal addresses/,
  );
  assert.throws(() => parseAddress(undefined, 'a'), /Address must be a socket or pipe/);
});

test('addresses of sockets', () => {
  assert.equal(ipAddress('::ffff:1.2.3.4', 5).text, '1.2.3.4:5');
  assert.equal(ipAddress('::1', 5).text, '[::1]:5');
  assert.equal(formatAddress('fe80::1', 0), '[fe80::1]:0');
});

test('numbers of addresses', () => {
  assert.equal(parseIp('255.0.0.1')!.value, 0xff000001n);
  assert.equal(parseIp('::ffff:1.2.3.4')!.value, 0xffff01020304n);
  assert.equal(parseIp('fe80::1%eth0')!.value, (0xfe80n << 112n) | 1n);
  assert.equal(parseIp('1.2.3'), undefined);
});

test('ranges agree with node and keep no host bits', () => {
  const ip = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(ip, ip, fc.integer({ min: 1, max: 128 }), (base, probe, wanted) => {
      const family = base.includes(':') ? 'ipv6' : 'ipv4';
      const length = Math.min(wanted, family === 'ipv4' ? 32 : 128);
      const range = new CidrRange(parseIp(base)!, length);
      const list = new BlockList();
      list.addSubnet(base, length, family);
      for (const address of [base, probe]) {
        if (address.includes(':') !== base.includes(':'))
          assert.equal(range.contains(parseIp(address)!), false);
        else assert.equal(range.contains(parseIp(address)!), list.check(address, family));
      }
      const again = CidrRange.compile(
        { address_prefix: range.text.split('/')[0], prefix_len: { value: length } },
        '',
      );
      assert.equal(again.text, range.text);
      assert.equal(again.network, range.network);
    }),
  );
});

test('a table finds the longest range', () => {
  const table = new CidrTable<string>();
  for (const text of ['0.0.0.0/0', '10.0.0.0/8', '10.1.0.0/16', '10.1.2.3/32', 'fd00::/8']) {
    const [address_prefix, length] = text.split('/');
    table.set(CidrRange.compile({ address_prefix, prefix_len: { value: Number(length) } }, ''), text);
  }
  assert.equal(table.find(parseIp('10.1.2.3')!), '10.1.2.3/32');
  assert.equal(table.find(parseIp('10.1.2.4')!), '10.1.0.0/16');
  assert.equal(table.find(parseIp('10.2.2.4')!), '10.0.0.0/8');
  assert.equal(table.find(parseIp('11.2.2.4')!), '0.0.0.0/0');
  assert.equal(table.find(parseIp('fd00::1')!), 'fd00::/8');
  assert.equal(table.find(parseIp('::1')!), undefined);
});
