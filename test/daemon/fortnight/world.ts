import type { EventStore } from '../../../src/core/event-store.ts';
import type { JobName } from '../../../src/core/job.ts';
import type { RetentionRule } from '../../../src/core/retention-rule.ts';
import type { ObjectInfo, Vault } from '../../../src/core/vault.ts';
import { memoryStore } from '../../../src/stores/memory/store.ts';
import { makeRandom, type Random } from '../../../src/testing/random.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { passOn } from '../../../src/vaults/wrappers/pass.ts';
import { datedVault } from '../../harness/dated-vault.ts';
import { DAY, drawFaults, type Faults, NO_FAULTS, offsetAt } from './faults.ts';
import { type SimulatedTime, simulatedTime } from './time.ts';

/** Of a command, as whoever started it saw it. */
export interface Run {
  readonly job: JobName;
  readonly host: string;
  readonly beganMs: number;
  /** Null: it has not ended. */
  endedMs: number | null;
  /** `died`: its host died with it. */
  state: 'succeeded' | 'failed' | 'interrupted' | 'died' | null;
  note: string;
}

/** What daemons wrote of runs, as the vault received it. */
export interface Written {
  readonly job: JobName;
  readonly wantedMs: number;
  readonly attempt: number;
  readonly kind: 'begin' | 'end';
  readonly atMs: number;
  readonly state: Run['state'];
}

export interface Told {
  readonly key: string;
  readonly state: 'raised' | 'repeated' | 'resolved';
  readonly id: string;
  readonly atMs: number;
}

/** A backup, as whoever took it would describe it. */
export interface Point {
  readonly backupId: string;
  readonly parentId: string | null;
  readonly createdAtMs: number;
  readonly atMs: number;
  readonly events: number;
  readonly digest: string;
}

export interface World {
  readonly seed: number;
  readonly days: number;
  readonly time: SimulatedTime;
  readonly random: Random;
  readonly faults: Faults;
  /** When it all begins, in milliseconds since 1970. */
  readonly baseMs: number;
  readonly timeZone: string;
  readonly rule: RetentionRule;
  readonly store: EventStore;
  readonly vault: Vault;
  readonly west: Vault;
  readonly runs: Run[];
  readonly written: Written[];
  readonly told: Told[];
  readonly points: Map<string, Point>;
  /** Ids of backups that must be in the vault, and in the copy of it. */
  readonly owed: Set<string>;
  readonly owedWest: Set<string>;
  /** Bad runs that came about. */
  readonly spent: Set<number>;
  /** When which daemon was there. */
  readonly lives: { readonly host: string; readonly fromMs: number; untilMs: number | null }[];
  /** Told when a daemon died that nobody had meant to die. */
  onDeath: () => void;
  /** What no command should meet. */
  readonly broken: unknown[];
  /** In words, for whoever looks for the reason of a failure. */
  readonly timeline: { readonly atMs: number; readonly text: string }[];
}

/** Some days before clocks change. */
const BEGINS: readonly (readonly [timeZone: string, begin: string])[] = [
  ['Europe/Berlin', '2026-10-20T09:00:00Z'],
  ['Europe/Berlin', '2027-03-22T17:30:00Z'],
  ['America/New_York', '2026-10-26T04:00:00Z'],
  ['America/New_York', '2027-03-08T22:10:00Z'],
  ['Australia/Lord_Howe', '2026-09-28T01:00:00Z'],
  ['Australia/Lord_Howe', '2027-03-30T12:00:00Z'],
];

export async function makeWorld(seed: number, days: number, wrong: 'much' | 'none' = 'much'): Promise<World> {
  const time = simulatedTime();
  const random = makeRandom(seed + 1_000_000);
  const [timeZone, begin] = BEGINS[seed % BEGINS.length]!;
  const baseMs = Date.parse(begin);
  const trueMs = (): number => baseMs + time.now();
  const world: World = {
    ...{ seed, days, time, random, baseMs, timeZone },
    faults: wrong === 'much' ? drawFaults(seed, days) : NO_FAULTS,
    rule: { last: 3, withinMs: 3 * DAY, daily: 7, timeZone },
    store: memoryStore({ now: trueMs }),
    vault: vaultBy(trueMs, (name) => note(world, name)),
    west: vaultBy(trueMs, () => undefined),
    ...{
      runs: [],
      written: [],
      told: [],
      unsaid: [],
      points: new Map(),
      lives: [],
      onDeath: () => undefined,
      broken: [],
      timeline: [],
    },
    ...{ owed: new Set<string>(), owedWest: new Set<string>(), spent: new Set<number>() },
  };
  await world.store.initialise();
  return world;
}

/** By the clock of the hosts, which may be wrong. */
export function wallMs({ baseMs, faults, time }: World, atMs = time.now()): number {
  return baseMs + atMs + offsetAt(faults, atMs);
}

export function say(world: World, text: string): void {
  world.timeline.push({ atMs: world.time.now(), text });
}

/**
 * A vault in memory by the clock given, which tells what was written. It keeps its names by folders: daemons look into those of their jobs
 * some ten thousand times in a fortnight.
 */
function vaultBy(now: () => number, onWritten: (name: string) => void): Vault {
  const vault = datedVault(memoryVault(), now);
  const folders = new Map<string, Map<string, ObjectInfo>>();
  const sorted = new Map<string, ObjectInfo[]>();
  const namesOf = (folder: string): ObjectInfo[] => {
    const known = sorted.get(folder);
    if (known !== undefined) return known;
    const infos = [...(folders.get(folder)?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
    sorted.set(folder, infos);
    return infos;
  };
  const add = (name: string, sizeBytes: number): void => {
    sorted.delete(folderOf(name));
    const folder = folderOf(name);
    const infos = folders.get(folder) ?? new Map<string, ObjectInfo>();
    folders.set(folder, infos.set(name, { name, sizeBytes, modifiedAtMs: now() }));
  };
  return passOn(vault, {
    createObject: async (name) => {
      const writer = await vault.createObject(name);
      let sizeBytes = 0;
      return {
        write: (bytes) => {
          sizeBytes += bytes.length;
          return writer.write(bytes);
        },
        commit: async () => {
          await writer.commit();
          add(name, sizeBytes);
          onWritten(name);
        },
        abort: () => writer.abort(),
      };
    },
    copyObject: async (from, to) => {
      await vault.copyObject(from, to);
      add(to, (await vault.stat(to))!.sizeBytes);
    },
    removeObject: async (name) => {
      await vault.removeObject(name);
      folders.get(folderOf(name))?.delete(name);
      sorted.delete(folderOf(name));
    },
    list: (prefix) => {
      // Most folders are asked for as a whole.
      if (folders.has(prefix.slice(0, -1))) return each(namesOf(prefix.slice(0, -1)));
      const near = [...folders.keys()].filter((name) => name.startsWith(prefix) || prefix.startsWith(name));
      return each(
        near
          .sort()
          .flatMap(namesOf)
          .filter(({ name }) => name.startsWith(prefix)),
      );
    },
  });
}

/** `jobs/full` of what is in there, and `alerts` of what has no folder further in. */
function folderOf(name: string): string {
  const end = name.indexOf('/', name.indexOf('/') + 1);
  return name.slice(0, end === -1 ? Math.max(0, name.indexOf('/')) : end);
}

/** As it is now, and cheaper than a generator. */
function each<Item>(items: readonly Item[]): AsyncIterable<Item> {
  return {
    [Symbol.asyncIterator]: () => {
      const inner = items[Symbol.iterator]();
      return { next: () => Promise.resolve(inner.next()) };
    },
  };
}

const RECORD = /^jobs\/([a-z]+)\/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-(\d{4})(-ended)?\.json$/;

function note(world: World, name: string): void {
  const match = RECORD.exec(name);
  if (match === null) return;
  const [, job, year, month, day, hour, minute, second, ms, attempt, ended] = match;
  const at = [year, Number(month) - 1, day, hour, minute, second, ms].map(Number) as [number, number];
  const runs = world.runs.filter((run) => run.job === job);
  world.written.push({
    ...{ job: job as JobName, wantedMs: Date.UTC(...at), attempt: Number(attempt), atMs: world.time.now() },
    ...{ kind: ended === undefined ? 'begin' : 'end', state: runs.at(-1)?.state ?? null },
  });
}
