// Operators that print an address: whole, without its port (optionally masked to a network), or the port alone.
// Envoy: StreamInfoAddressFormatterProvider in source/common/formatter/stream_info_formatter.cc.

import type { LogContext } from '../../api/access_log.ts';
import { ConfigError } from '../../api/config_error.ts';
import type { Address } from '../../api/stream_info.ts';
import type { HostDescription } from '../../api/upstream/host.ts';
import { parseIp } from '../network/address.ts';
import { type Command, type CommandCall, type CommandTable, number, text } from './command_table.ts';
import { type FormatterProvider, StringFormatterProvider } from './formatter_provider.ts';

type AddressOf = (context: LogContext) => Address | undefined;

const downstreamLocal: AddressOf = ({ streamInfo }) => streamInfo.connection.localAddress;
const downstreamDirectLocal: AddressOf = ({ streamInfo }) => streamInfo.connection.directLocalAddress;
const downstreamRemote: AddressOf = ({ streamInfo }) => streamInfo.remoteAddress;
const downstreamDirectRemote: AddressOf = ({ streamInfo }) => streamInfo.connection.directRemoteAddress;
const upstreamHost: AddressOf = ({ streamInfo }) => streamInfo.upstreamHost?.address;
const upstreamLocal: AddressOf = ({ streamInfo }) => streamInfo.upstreamConnection?.localAddress;
/** The host is the peer only once there is a connection to it. */
const upstreamRemote: AddressOf = ({ streamInfo }) =>
  streamInfo.upstreamConnection === undefined ? undefined : streamInfo.upstreamHost?.address;

/** Envoy's list has the hosts that a connection was made to, and of a request that was tried again the last one only. */
const connectedHost = ({ streamInfo }: LogContext): HostDescription | undefined =>
  streamInfo.upstreamConnection === undefined ? undefined : streamInfo.upstreamHost;

/** The name of a host that has one, else its address. */
export function hostNameOf(host: HostDescription | undefined): string | undefined {
  return host === undefined || host.hostname !== '' ? host?.hostname : host.address.text;
}

/** `example.com:80` to `example.com`, `[::1]:80` to `[::1]`. */
export function stripPort(host: string): string {
  const colon = host.lastIndexOf(':');
  if (colon < 0 || host.endsWith(']') || (host.indexOf(':') !== colon && host[0] !== '[')) return host;
  return host.slice(0, colon);
}

const whole = (address: AddressOf): Command => text((context) => address(context)?.text);

const port = (address: AddressOf): Command =>
  number((context) => {
    const found = address(context);
    return found === undefined || found.ip === '' ? undefined : found.port;
  });

function withoutPort(address: AddressOf): Command {
  return {
    parameters: 'optional',
    lengthAllowed: false,
    compile({ argument, path }: CommandCall): FormatterProvider {
      if (argument === '') return new StringFormatterProvider((context) => ipOrPath(address(context)));
      const length = Number(argument);
      if (!Number.isInteger(length) || length < 0 || length > 128) {
        throw new ConfigError(
          path,
          `Invalid prefix length '${argument}': a number from 0 to 128 is expected`,
        );
      }
      return new StringFormatterProvider((context) => {
        const found = address(context);
        return found === undefined || found.ip === '' ? ipOrPath(found) : network(found.ip, length);
      });
    },
  };
}

function ipOrPath(address: Address | undefined): string | undefined {
  if (address === undefined) return undefined;
  return address.ip === '' ? address.text : address.ip;
}

/** `127.0.0.0/16`: the bits behind the prefix are cleared. A prefix longer than the address is the whole address. */
function network(ip: string, length: number): string {
  const parsed = parseIp(ip);
  if (parsed === undefined) return ip;
  const bits = parsed.version === 4 ? 32 : 128;
  const prefix = Math.min(length, bits);
  const value = (parsed.value >> BigInt(bits - prefix)) << BigInt(bits - prefix);
  return `${parsed.version === 4 ? ipv4Text(value) : ipv6Text(value)}/${prefix}`;
}

function ipv4Text(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
}

function ipv6Text(value: bigint): string {
  const groups = [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) =>
    ((value >> shift) & 0xffffn).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

export const ADDRESS_COMMANDS: CommandTable = {
  DOWNSTREAM_LOCAL_ADDRESS: whole(downstreamLocal),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: withoutPort(downstreamLocal),
  DOWNSTREAM_LOCAL_PORT: port(downstreamLocal),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS: whole(downstreamDirectLocal),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT: withoutPort(downstreamDirectLocal),
  DOWNSTREAM_DIRECT_LOCAL_PORT: port(downstreamDirectLocal),
  DOWNSTREAM_REMOTE_ADDRESS: whole(downstreamRemote),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: withoutPort(downstreamRemote),
  DOWNSTREAM_REMOTE_PORT: port(downstreamRemote),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: whole(downstreamDirectRemote),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: withoutPort(downstreamDirectRemote),
  DOWNSTREAM_DIRECT_REMOTE_PORT: port(downstreamDirectRemote),
  // Only internal addresses have such an id, and they are refused.
  DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID: text(() => ''),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID: text(() => ''),
  UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID: text((context) => upstreamRemote(context) && ''),
  UPSTREAM_HOSTS_ATTEMPTED: whole((context) => connectedHost(context)?.address),
  UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT: withoutPort((context) => connectedHost(context)?.address),
  UPSTREAM_HOST_NAMES_ATTEMPTED: text((context) => hostNameOf(connectedHost(context))),
  UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT: text((context) => {
    const name = hostNameOf(connectedHost(context));
    return name && stripPort(name);
  }),
  UPSTREAM_CONNECTION_IDS_ATTEMPTED: text(
    (context) => connectedHost(context) && String(context.streamInfo.upstreamConnection?.id ?? 0),
  ),
  UPSTREAM_HOST: whole(upstreamHost),
  UPSTREAM_LOCAL_ADDRESS: whole(upstreamLocal),
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: withoutPort(upstreamLocal),
  UPSTREAM_LOCAL_PORT: port(upstreamLocal),
  UPSTREAM_REMOTE_ADDRESS: whole(upstreamRemote),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: withoutPort(upstreamRemote),
  UPSTREAM_REMOTE_PORT: port(upstreamRemote),
};
