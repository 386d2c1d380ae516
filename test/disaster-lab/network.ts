import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { Socket } from 'node:net';
import { freePort } from '../harness/free-port.ts';
import { type Address, type Relay, startRelay } from './relay.ts';

/** Hosts of the laboratory, each with an address of its own, whose ways to the others can be cut. */
export interface Network {
  /** Namespaces of the kernel; or, where those are not to be had, relays between addresses of this machine. */
  readonly kind: 'namespaces' | 'relays';
  /** Where the laboratory itself can be reached from all hosts. */
  readonly here: string;
  addHost(name: string): Host;
  stop(): void;
}

export interface Host {
  readonly name: string;
  /** What others know it by. */
  readonly address: string;
  /** What stands in front of a command to have it run on that host; nothing where all hosts are this machine. */
  readonly prefix: readonly string[];
  /** Where a server of this host listens, so that others find it at `address` and this port. */
  listen(port: number): Promise<Address>;
  /** By what this host gets to a server of another one: no longer once it is cut off. */
  reach(server: Address): Promise<Address>;
  /** Nothing reaches it from other hosts, nor gets out of it; it itself is well. */
  cut(): void;
  heal(): void;
}

/** Namespaces where this process may make them. `EVENTCORE_LAB_NETWORK=relays` does without. */
export function makeNetwork(): Network {
  if (process.env.EVENTCORE_LAB_NETWORK === 'relays') return relays();
  return namespaces() ?? relays();
}

let made = 0;

/** A part of an address and of names that no other laboratory of this machine should have. */
function ownNumber(): number {
  made += 1;
  return 1 + ((process.pid * 7 + made) % 250);
}

const ATTEMPTS = 10;

/** Null where this process may make none. */
function namespaces(): Network | null {
  if (process.getuid?.() !== 0) return null;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const network = bridgedNetwork(ownNumber());
    if (network !== null) return network;
  }
  return null;
}

function bridgedNetwork(number: number): Network | null {
  const bridge = `ecdr${number}`;
  const net = (last: number) => `10.77.${number}.${last}`;
  if (!ip(['link', 'add', bridge, 'type', 'bridge', 'forward_delay', '0'])) return null;
  const janitor = startJanitor(bridge);
  const isUp =
    ip(['addr', 'add', `${net(1)}/24`, 'dev', bridge]) &&
    ip(['link', 'set', bridge, 'up']) &&
    ip(['netns', 'add', `${bridge}-try`]) &&
    ip(['netns', 'del', `${bridge}-try`]);
  if (!isUp) {
    janitor.stdin?.destroy();
    return null;
  }
  let hosts = 0;
  return {
    kind: 'namespaces',
    here: net(1),
    addHost: (name) => {
      hosts += 1;
      const place = { namespace: `${bridge}-${name}`, cable: `${bridge}v${hosts}` };
      return addNamespace(name, { ...place, bridge, address: net(10 + hosts) });
    },
    stop: () => void janitor.stdin?.destroy(),
  };
}

/** Takes away what has this name when this process ends in whatever way, SIGKILL included: its standard input is a pipe. */
function startJanitor(bridge: string): ChildProcess {
  const script = `cat >/dev/null; for name in $(ip netns list | grep -o "^$1-[a-z-]*"); do ip netns del "$name"; done
    ip link del "$1"`;
  const janitor = spawn('sh', ['-c', script, 'janitor', bridge], {
    ...{ cwd: '/', detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
  });
  janitor.unref();
  (janitor.stdin as Socket).unref();
  return janitor;
}

interface Plan {
  readonly bridge: string;
  readonly namespace: string;
  /** The end that is on this side. */
  readonly cable: string;
  readonly address: string;
}

function addNamespace(name: string, { bridge, namespace, cable, address }: Plan): Host {
  const inside = ['-n', namespace];
  for (const words of [
    ['netns', 'add', namespace],
    ['link', 'add', cable, 'type', 'veth', 'peer', 'name', 'e0', 'netns', namespace],
    ['link', 'set', cable, 'master', bridge, 'up'],
    [...inside, 'addr', 'add', `${address}/24`, 'dev', 'e0'],
    [...inside, 'link', 'set', 'e0', 'up'],
    [...inside, 'link', 'set', 'lo', 'up'],
  ]) {
    if (!ip(words)) throw new Error(`ip ${words.join(' ')} failed`);
  }
  return {
    ...{ name, address, prefix: ['ip', 'netns', 'exec', namespace] },
    listen: async (port) => ({ host: address, port }),
    reach: async (server) => server,
    // The other end stays up: the host keeps its own address, and nobody tells it anything.
    cut: () => void ip(['link', 'set', cable, 'nomaster']),
    heal: () => void ip(['link', 'set', cable, 'master', bridge]),
  };
}

function ip(words: readonly string[]): boolean {
  return spawnSync('ip', words, { stdio: 'ignore' }).status === 0;
}

function relays(): Network {
  const number = ownNumber();
  const all: Relay[] = [];
  let hosts = 0;
  return {
    kind: 'relays',
    here: '127.0.0.1',
    addHost: (name) => {
      hosts += 1;
      return addRelayed(name, `127.77.${number}.${10 + hosts}`, all);
    },
    stop: () => {
      for (const relay of all) relay.close();
    },
  };
}

function addRelayed(name: string, address: string, all: Relay[]): Host {
  const own: Relay[] = [];
  const relay = async (at: Address, to: Address): Promise<void> => {
    const started = await startRelay(at, to);
    own.push(started);
    all.push(started);
  };
  const here = async () => ({ host: '127.0.0.1', port: await freePort() });
  return {
    ...{ name, address, prefix: [] },
    listen: async (port) => {
      const to = await here();
      await relay({ host: address, port }, to);
      return to;
    },
    reach: async (server) => {
      const at = await here();
      await relay(at, server);
      return at;
    },
    cut: () => {
      for (const relay of own) relay.cut();
    },
    heal: () => {
      for (const relay of own) relay.heal();
    },
  };
}
