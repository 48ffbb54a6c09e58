// Network namespaces of a test: made with iproute2, joined by a veth pair, with iptables as Istio's init container sets
// them. Needs root on Linux.

import { type ChildProcess, execFileSync, type SpawnOptions, spawn, spawnSync } from 'node:child_process';

/** The group that proxies run as: their own connections are not redirected. Source: istio-iptables, PROXY_GID. */
export const PROXY_GID = 1337;

/** Why there can be no namespaces here; undefined when there can. */
export function cannotIsolate(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  const tried = `pilotfish-${process.pid}-try`;
  if (spawnSync('ip', ['netns', 'add', tried]).status !== 0) return 'needs root and iproute2';
  const { status } = spawnSync('ip', ['netns', 'exec', tried, 'iptables', '-t', 'nat', '-L', '-n']);
  spawnSync('ip', ['netns', 'del', tried]);
  return status === 0 ? undefined : 'needs iptables with the nat table';
}

export class NetworkNamespace {
  readonly name: string;

  constructor(name: string) {
    this.name = `pilotfish-${process.pid}-${name}`;
    run(`ip netns add ${this.name}`);
    this.run('ip link set lo up');
  }

  /** One cable between two namespaces, an address at each end, and all traffic goes over it. */
  static join(one: NetworkNamespace, oneIp: string, other: NetworkNamespace, otherIp: string): void {
    run(`ip link add eth0 netns ${one.name} type veth peer name eth0 netns ${other.name}`);
    for (const [space, ip, via] of [
      [one, oneIp, otherIp],
      [other, otherIp, oneIp],
    ] as const) {
      space.run(`ip address add ${ip}/24 dev eth0`);
      space.run('ip link set eth0 up');
      space.run(`ip route add default via ${via}`);
    }
  }

  /** What istio-iptables sets up in a pod. Connections to `excludedInbound` reach the application directly. */
  redirect(excludedInbound: number): void {
    const nat = (rule: string): void => this.run(`iptables -t nat -A ${rule}`);
    nat(`PREROUTING -p tcp --dport ${excludedInbound} -j RETURN`);
    nat('PREROUTING -p tcp -j REDIRECT --to-ports 15006');
    nat('OUTPUT -p tcp -s 127.0.0.6/32 -o lo -j RETURN');
    nat(`OUTPUT -p tcp -m owner --gid-owner ${PROXY_GID} -j RETURN`);
    nat('OUTPUT -p tcp -d 127.0.0.1/32 -j RETURN');
    nat('OUTPUT -p tcp -j REDIRECT --to-ports 15001');
  }

  run(command: string): void {
    run(`ip netns exec ${this.name} ${command}`);
  }

  spawn(args: readonly string[], options: SpawnOptions): ChildProcess {
    return spawn('ip', ['netns', 'exec', this.name, ...args], options);
  }

  remove(): void {
    run(`ip netns del ${this.name}`);
  }
}

function run(command: string): void {
  const [file, ...args] = command.split(' ');
  execFileSync(file!, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
