/** One process that carries out recoveries in a world: ports that note, count and can be killed. */
import { randomUUID } from 'node:crypto';
import type { RecoveryStep, StepFacts } from '../../src/core/disaster.ts';
import type { Fence, RegionServer } from '../../src/core/disaster-ports.ts';
import { BackupError } from '../../src/core/errors.ts';
import type { ObjectWriter, Vault } from '../../src/core/vault.ts';
import { RECOVERY_SETTINGS, type RecoveryPorts, type RecoverySettings } from '../../src/disaster/context.ts';
import {
  assertIntended,
  assertNoneLoose,
  EAST,
  findTwoWriters,
  lookAtServer,
  lsn,
  PLACE,
  stateOf,
  VALUES,
  VAULTS,
  WEST,
  WEST_2,
  type World,
} from './world.ts';

export interface Process {
  readonly ports: RecoveryPorts;
  /** How often something was about to be done, or had been: at each of these it can be killed. */
  moments: number;
  isDead: boolean;
  /** Vaults that answer nothing. */
  readonly lostVaults: Set<string>;
  /** Vaults that never answer at all. */
  readonly silentVaults: Set<string>;
  /** Steps whose act fails. */
  readonly failing: Map<RecoveryStep, BackupError>;
  /** Whether the next question to a server, a fence or the name is not answered. */
  failsLook: () => boolean;
  /** What this process has done to the world. */
  readonly actions: string[];
  /** Called before each moment with its number. */
  onMoment: (moment: number, what: string) => void | Promise<void>;
}

/** What a process that was killed throws: no error of ours, as nothing of it is written anywhere. */
export const KILLED = 'killed';

export function startProcess(world: World, killAt = Number.POSITIVE_INFINITY): Process {
  const process: Process = {
    ports: null as unknown as RecoveryPorts,
    ...{
      moments: 0,
      isDead: false,
      lostVaults: new Set<string>(),
      silentVaults: new Set<string>(),
      failing: new Map(),
      onMoment: () => {},
    },
    ...{ failsLook: () => false, actions: [] },
  };
  const assertAlive = (): void => {
    if (process.isDead) throw new Error(KILLED);
  };
  const moment = async (what: string): Promise<void> => {
    assertAlive();
    process.moments += 1;
    await process.onMoment(process.moments, what);
    if (process.moments === killAt) process.isDead = true;
    assertAlive();
  };
  /** Something is done in the world, with a chance to die before and after. */
  const does = async <Result>(
    step: RecoveryStep | readonly RecoveryStep[],
    what: string,
    effect: () => Result,
  ): Promise<Result> => {
    await moment(`before ${what}`);
    await assertIntended(world, step, what);
    const failure = [step]
      .flat()
      .map((one) => process.failing.get(one))
      .find((one) => one !== undefined);
    if (failure !== undefined) throw failure;
    const result = effect();
    process.actions.push(what);
    findTwoWriters(world);
    await moment(`after ${what}`);
    return result;
  };
  const looks = async <Result>(look: () => Result): Promise<Result> => {
    assertAlive();
    if (process.failsLook()) throw new BackupError('store_unreachable', 'no answer');
    return look();
  };
  Object.assign(process, { ports: makePorts({ world, process, does, looks, moment, assertAlive }) });
  return process;
}

interface Hands {
  readonly world: World;
  readonly process: Process;
  readonly does: <Result>(
    step: RecoveryStep | readonly RecoveryStep[],
    what: string,
    effect: () => Result,
  ) => Promise<Result>;
  readonly looks: <Result>(look: () => Result) => Promise<Result>;
  readonly moment: (what: string) => Promise<void>;
  readonly assertAlive: () => void;
}

function makePorts(hands: Hands): RecoveryPorts {
  const { world, does, looks } = hands;
  const servers = [EAST, WEST, WEST_2].map((address) => makeServer(address, hands));
  return {
    clock: { now: () => tick(world), uuid: randomUUID },
    ...{ actor: 'somebody at a host', software: 'test', signer: null },
    vaults: VAULTS.map((address) => ({
      ...{ region: address.slice('memory:'.length), keepsJournal: true },
      vault: processVault(world.vaults.get(address)!, hands),
    })),
    servers,
    places: new Map([['west', { address: PLACE, server: null }]]),
    fences: new Map(servers.map(({ address }) => [address, fencesOf(address, hands)])),
    publicName: {
      ...{ describe: 'the name', name: 'db.example.com' },
      read: () => looks(() => world.name),
      switchTo: ({ from, to }) =>
        does('switch_name', `switch to ${to}`, () => {
          if (world.name !== from) throw new BackupError('name_changed', `it is ${world.name}`);
          const target = [...VALUES].find(([, value]) => value === to)![0];
          if (!world.examined.has(target) || !world.probed.has(target))
            world.faults.push(`the name was switched to ${target} before it was tried`);
          assertNoneLoose(world, 'the name was switched', target);
          world.name = to;
          return {};
        }),
    },
    values: VALUES,
    scalers: new Map([
      [
        'west',
        {
          describe: 'more of it',
          apply: () => does('scale', 'scale', () => change(() => Object.assign(world, { scaled: true }))),
          check: () => looks(() => world.scaled),
        },
      ],
    ]),
    rejoiners: new Map([[EAST, { describe: 'rewind', rejoin: ({ host }) => rejoin(EAST, host, hands) }]]),
    migrate: { describe: 'migrate', run: () => does('migrate', 'migrate', () => ({})) },
    restorer: {
      refuse: (to) => looks(() => (to === PLACE && world.place.state === 'empty' ? null : 'it is not empty')),
      restore: async ({ isAgain }) => {
        await does('restore', 'begin to restore', () => {
          assertNoneLoose(world, 'restored', '');
          if (world.place.state !== 'empty' && !isAgain) world.faults.push('restored over what is there');
          world.place.state = 'partial';
        });
        return does('restore', 'restore', () =>
          change(() => Object.assign(world.place, { state: 'restored' })),
        );
      },
    },
    trials: {
      examine: (store) => does('check', `examine ${store}`, () => tryStore(world, store, world.examined)),
      probeWrites: (store) => does('probe', `probe ${store}`, () => tryStore(world, store, world.probed)),
      probePublic: (store) =>
        does('verify_public', `probe the name`, () => {
          if (VALUES.get(store) !== world.name)
            throw new BackupError('verification_failed', 'it leads elsewhere');
          return {};
        }),
    },
    protector: {
      protect: ({ store }) =>
        does('reprotect', `protect ${store}`, () => change(() => world.protectedStores.add(store))),
      catchUp: ({ store }) => does('drain', `catch up from ${store}`, () => ({ until: 'now' })),
    },
    salvager: {
      salvage: ({ from }) =>
        does('salvage', `salvage ${from}`, () => {
          const { orphans } = lookAtServer(world, from);
          world.salvaged.add(from);
          const conflicts = 0;
          const merged = 0;
          const object = orphans === 0 ? null : 'salvage-1.jsonl';
          return {
            events: orphans,
            streams: orphans,
            conflicts,
            merged,
            spanMs: orphans === 0 ? null : 9,
            object,
            vanished: orphans,
            epochRecord: orphans === 0 ? null : 'epochs/epoch-1.json',
            ghosts: [],
          };
        }),
    },
    notifiers: [
      {
        name: 'all',
        notify: (alert) => does('notify', 'notify', () => void world.notices.add(alert.id)),
        close: async () => {},
      },
    ],
  };
}

function tick(world: World): number {
  world.nowMs += 1;
  return world.nowMs;
}

function change(effect: () => unknown): StepFacts {
  effect();
  return {};
}

function tryStore(world: World, store: string, tried: Set<string>): StepFacts {
  const server = world.servers.get(store);
  const takes =
    store === PLACE ? world.place.state === 'restored' : server?.role === 'primary' && server.isUp;
  if (!takes) throw new BackupError('verification_failed', `${store} takes no writes`);
  tried.add(store);
  return {};
}

function makeServer(address: string, { world, does, looks }: Hands): RegionServer {
  const { region } = world.servers.get(address)!;
  return {
    ...{ region, address },
    probe: () => looks(() => stateOf(lookAtServer(world, address))),
    sample: async () => null,
    fence: async () => ({}),
    isFenced: () => looks(() => lookAtServer(world, address).isFenced),
    unfence: () =>
      does(
        'rejoin',
        `unfence ${address}`,
        () => void Object.assign(lookAtServer(world, address), { isFenced: false }),
      ),
    promote: async () => {
      const server = lookAtServer(world, address);
      if (server.role === 'standby') {
        await does('promote', `promote ${address}`, () => {
          assertNoneLoose(world, `${address} was promoted`, address);
          Object.assign(server, { role: 'primary', timeline: server.timeline + 1, upstream: null });
        });
      }
      return { timeline: server.timeline, forkLsn: lsn(server.position) };
    },
    follow: ({ host }) =>
      does(['promote', 'reprotect'], `${address} follows ${host}`, () => {
        const server = lookAtServer(world, address);
        const upstream = addressOf(world, host);
        const isNew = server.upstream !== upstream;
        Object.assign(server, { upstream, timeline: world.servers.get(upstream)!.timeline });
        return isNew;
      }),
    countStandbys: async () => 0,
    close: async () => {},
  };
}

function addressOf(world: World, host: string): string {
  return [...world.servers.keys()].find((address) => new URL(address).hostname === host)!;
}

function fencesOf(address: string, { world, does, looks }: Hands): Fence[] {
  const server = world.servers.get(address)!;
  return [
    {
      describe: `rules of ${address}`,
      apply: () =>
        does('fence', `fence ${address}`, () =>
          change(() => Object.assign(lookAtServer(world, address), { isFenced: true })),
        ),
      check: () => looks(() => (lookAtServer(world, address).isFenced ? 'fenced' : 'open')),
    },
    {
      describe: `cut ${address} off`,
      apply: () =>
        does('fence', `cut ${address}`, () => {
          if (!world.canCut) throw new BackupError('fence_failed', 'the switch does not answer');
          server.isCut = true;
          return {};
        }),
      check: () => looks(() => (world.canCut ? (server.isCut ? 'fenced' : 'open') : 'unknown')),
      lift: () => does('rejoin', `let ${address} back`, () => void Object.assign(server, { isCut: false })),
    },
  ];
}

function rejoin(address: string, host: string, { world, does }: Hands): Promise<StepFacts> {
  return does('rejoin', `rejoin ${address}`, () => {
    const server = world.servers.get(address)!;
    if (server.orphans > 0 && !world.salvaged.has(address))
      world.faults.push(`${address} was rewound before it was salvaged`);
    const upstream = addressOf(world, host);
    const { timeline, systemIdentifier } = world.servers.get(upstream)!;
    Object.assign(server, {
      role: 'standby',
      timeline,
      systemIdentifier,
      upstream,
      isUp: true,
      isCut: false,
    });
    return {};
  });
}

/** A vault as one process has it: each write is a moment to die before and after. */
function processVault(vault: Vault, { process, moment, assertAlive }: Hands): Vault {
  const ask = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    assertAlive();
    if (process.silentVaults.has(vault.address)) return new Promise<never>(() => {});
    if (process.lostVaults.has(vault.address))
      throw new BackupError('vault_unreachable', `${vault.address} does not answer`);
    return work();
  };
  const writer = (name: string, inner: ObjectWriter): ObjectWriter => ({
    write: (bytes) => ask(() => inner.write(bytes)),
    commit: async () => {
      await moment(`before ${vault.address} ${name}`);
      await ask(() => inner.commit());
      await moment(`after ${vault.address} ${name}`);
    },
    abort: () => inner.abort(),
  });
  return {
    ...vault,
    open: (options) => ask(() => vault.open(options)),
    createObject: (name) => ask(async () => writer(name, await vault.createObject(name))),
    readRange: (name, offset, length) => ask(() => vault.readRange(name, offset, length)),
    stat: (name) => ask(() => vault.stat(name)),
    async *list(prefix) {
      await ask(async () => {});
      yield* vault.list(prefix);
    },
    removeObject: (name) => ask(() => vault.removeObject(name)),
  };
}

export const TEST_SETTINGS: RecoverySettings = {
  ...RECOVERY_SETTINGS,
  ...{ maxLossBytes: 1000n, probeMs: 1000, pollMs: 1, equalLooks: 2, leaseTtlMs: 60_000 },
  deadlines: { ...RECOVERY_SETTINGS.deadlines, drain: 500 },
};
