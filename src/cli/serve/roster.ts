import { dirname } from 'node:path';
import { runLimited } from '../../core/concurrency.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import type { MissingView } from '../../daemon/metric-family.ts';
import { areTooManyGone } from '../../policy/found-databases.ts';
import { storeName } from '../config/common.ts';
import { loadSettings } from '../config/config.ts';
import { type FleetSettings, fleetFolder, isFleet, listFleet } from '../fleet/members.ts';
import { readServed, type ServedStore, stateOfFile } from './config.ts';
import { keepFinding } from './find-databases.ts';
import { fleetDefaults } from './jobs.ts';
import type { ServeContext } from './log.ts';
import { beginStore, keepReading, openVaults, type Served, type Shared } from './store.ts';

/** Which stores a daemon serves: those that were named, or those of a fleet, which come and go. */
export interface Roster {
  readonly services: () => readonly Served[];
  /** Those of the fleet that are not served, and why. */
  readonly missing: () => readonly MissingStore[];
  /** Follows the configurations until the signal fires. */
  keep(): Promise<void>;
  stop(): Promise<void>;
}

export interface MissingStore extends MissingView {
  readonly file: string;
}

/** Begins all that were named. Throws as the vaults do. */
export async function serveNamed(
  context: ServeContext,
  stores: readonly ServedStore[],
  shared: Shared,
  take: (changed: ServedStore, current: readonly ServedStore[]) => void,
): Promise<Roster> {
  const services: Served[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(services.map((service) => service.stop()));
  };
  const taken = (changed: ServedStore): void =>
    take(
      changed,
      services.map(({ current }) => (current.name === changed.name ? changed : current)),
    );
  const vaults = await openVaults(context, stores);
  try {
    for (const [i, vault] of vaults.entries())
      services.push(await beginStore(context, stores[i]!, { ...shared, vault }));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    services: () => services,
    missing: () => [],
    keep: async () => {
      await Promise.all(
        services.map((_, index) => keepReading(context, { services, index, shared, take: taken })),
      );
    },
    stop,
  };
}

/** How often the folder and its files are looked at; what cannot be served is tried again, and servers are searched for stores. */
const FLEET_MS = { look: 5000, tryAgain: 60_000, search: 60_000 };
/** So many stores begin together. */
const BEGIN_AT_ONCE = 8;

interface Member {
  /** One, while it is served. */
  readonly box: Served[];
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

interface Fleet {
  settings: FleetSettings;
  /** By file. */
  readonly members: Map<string, Member>;
  readonly missing: Map<
    string,
    MissingStore & { readonly fileState: string | null; readonly triedMs: number }
  >;
  /** Whose vault it is, from before it begins on; by file. */
  readonly claims: Map<string, Pick<ServedStore, 'name' | 'vault'>>;
  /** What was said of the folder; null: nothing is wrong with it. */
  folderTrouble: string | null;
  /** All that was there at the start was begun. */
  hasBegun: boolean;
}

export interface FleetPorts {
  readonly shared: Shared;
  /** What they have in common was changed. Throws `config_invalid` where it cannot count. */
  readonly take: (changed: FleetSettings) => void;
  readonly everyMs?: typeof FLEET_MS;
}

/** Begins the stores of a fleet as soon as it is kept, and follows who comes and goes. One that cannot be served is told, and stops no other. */
export function serveFleet(context: ServeContext, settings: FleetSettings, ports: FleetPorts): Roster {
  const fleet: Fleet = {
    settings,
    members: new Map(),
    missing: new Map(),
    claims: new Map(),
    folderTrouble: null,
    hasBegun: false,
  };
  return {
    services: () => [...fleet.members.keys()].sort().flatMap((file) => fleet.members.get(file)!.box),
    missing: () => [...fleet.missing.values()],
    keep: async () => {
      const { search } = ports.everyMs ?? FLEET_MS;
      const following = keepFollowing(context, fleet, ports);
      await Promise.all([following, keepFinding(context, () => fleet.settings, search)]);
    },
    stop: async () => {
      await Promise.all([...fleet.members.keys()].map((file) => leave(fleet, file)));
    },
  };
}

async function keepFollowing(context: ServeContext, fleet: Fleet, ports: FleetPorts): Promise<void> {
  const { signal } = context;
  const { look } = ports.everyMs ?? FLEET_MS;
  let known = await stateOfFile(fleet.settings.file);
  await follow(context, fleet, ports);
  fleet.hasBegun = true;
  context.log.info(`serving ${fleet.members.size} stores of ${fleet.settings.file}`);
  while (!signal.aborted) {
    await pause(look, signal);
    if (signal.aborted) return;
    const state = await stateOfFile(fleet.settings.file);
    if (state !== known) await readAnew(context, fleet, ports);
    known = state;
    await follow(context, fleet, ports);
  }
}

async function readAnew(context: ServeContext, fleet: Fleet, { take }: FleetPorts): Promise<void> {
  const { env, cwd } = context;
  const { file } = fleet.settings;
  try {
    const changed = await loadSettings({ flags: { config: file }, env, cwd });
    if (!isFleet(changed))
      throw new BackupError('config_invalid', `${file} is of no fleet any more`, {
        hint: 'start the daemon anew for that',
      });
    take(changed);
    fleet.settings = changed;
    context.log.info('what the stores have in common was read anew');
  } catch (error) {
    if (!isBackupError(error)) throw error;
    context.log.error(`what the stores have in common stays as it was: ${error.message}`);
  }
}

/** A folder that cannot be read leaves all as it is: nobody's backups end because a listing failed. */
async function follow(context: ServeContext, fleet: Fleet, ports: FleetPorts): Promise<void> {
  const folder = fleetFolder(fleet.settings);
  let files: readonly string[];
  try {
    const known = [...fleet.members.keys()];
    files = await listFleet(fleet.settings, (gone) => known.filter((file) => dirname(file) === gone));
  } catch (error) {
    if (!isBackupError(error)) throw error;
    return tellOnce(context, fleet, `the stores stay as they were: ${error.message}`);
  }
  const there = new Set(files);
  const gone = [...fleet.members.keys()].filter((file) => !there.has(file));
  // Their jobs go on, fail, and are told of.
  if (areTooManyGone(gone.length, files.length))
    return tellOnce(
      context,
      fleet,
      `${gone.length} stores have no configuration any more, all at once: they stay served until the daemon is started anew`,
    );
  tellOnce(
    context,
    fleet,
    files.length === 0
      ? `${folder} holds no configuration${orFound(fleet.settings)}: no store is served`
      : null,
  );
  for (const file of gone) await letGo(context, fleet, file);
  for (const [file, { state }] of fleet.missing)
    if (state === 'unreadable' && !there.has(file)) fleet.missing.delete(file);
  await runLimited(files, BEGIN_AT_ONCE, async (file) => {
    if (!context.signal.aborted) await joinIn(context, fleet, file, ports);
  });
}

function orFound({ fleet: { found } }: FleetSettings): string {
  return found === undefined ? '' : ', and no database was found yet';
}

function tellOnce({ log }: ServeContext, fleet: Fleet, trouble: string | null): void {
  if (trouble !== null && trouble !== fleet.folderTrouble) log.error(trouble);
  fleet.folderTrouble = trouble;
}

async function letGo({ log }: ServeContext, fleet: Fleet, file: string): Promise<void> {
  const name = storeName(file);
  const reason = 'its configuration is gone';
  await leave(fleet, file);
  log.about({ store: name }).error(`${reason}: it is served no more`);
  fleet.missing.set(file, { name, file, state: 'gone', reason, fileState: null, triedMs: 0 });
}

async function leave(fleet: Fleet, file: string): Promise<void> {
  const member = fleet.members.get(file);
  fleet.members.delete(file);
  fleet.claims.delete(file);
  member?.stop.abort();
  await member?.done;
  for (const served of member?.box ?? []) {
    // Of jobs that are no more nobody is to hear.
    await served.service.change([]);
    await served.stop();
  }
}

async function joinIn(context: ServeContext, fleet: Fleet, file: string, ports: FleetPorts): Promise<void> {
  if (fleet.members.has(file)) return;
  const fileState = await stateOfFile(file);
  const before = fleet.missing.get(file);
  const { tryAgain } = ports.everyMs ?? FLEET_MS;
  const isDue = before === undefined || performance.now() - before.triedMs >= tryAgain;
  if (before?.fileState === fileState && !isDue) return;
  const name = storeName(file);
  const log = context.log.about({ store: name });
  try {
    fleet.members.set(file, await begin(context, fleet, file, ports));
    fleet.missing.delete(file);
    if (before !== undefined || fleet.hasBegun) log.info('it is served from now on');
  } catch (error) {
    if (!isBackupError(error)) throw error;
    fleet.claims.delete(file);
    const reason = error.message;
    if (before?.reason !== reason) log.error(`it is not served: ${reason}`);
    fleet.missing.set(file, {
      name,
      file,
      state: 'unreadable',
      reason,
      fileState,
      triedMs: performance.now(),
    });
  }
}

async function begin(context: ServeContext, fleet: Fleet, file: string, ports: FleetPorts): Promise<Member> {
  const { shared, everyMs } = ports;
  const store = await readServed(context, file, fleetDefaults);
  claim(fleet, store);
  const [vault] = await openVaults(context, [store]);
  const box = [await beginStore(context, store, { ...shared, vault: vault! })];
  const stop = new AbortController();
  const done = keepReading(
    { ...context, signal: AbortSignal.any([context.signal, stop.signal]) },
    {
      ...{ services: box, index: 0, shared, defaults: fleetDefaults },
      take: (changed) => claim(fleet, changed),
      ...(everyMs === undefined ? {} : { everyMs }),
    },
  );
  return { box, stop, done };
}

/** Two stores in one vault would take each other's backups for their own. Throws `config_invalid`. */
function claim(fleet: Fleet, { name, vault, file, settings }: ServedStore): void {
  for (const [other, claimed] of fleet.claims) {
    if (other === file) continue;
    if (claimed.name === name)
      throw invalid(`${file} would be called as ${other} is`, 'give each file another name');
    if (claimed.vault === vault)
      throw invalid(
        `${file} has the vault of ${other}`,
        'give each store its own, as s3://backups/{name} in what they share',
      );
  }
  const door = DOOR.find((key) => settings.serve[key] !== undefined);
  if (door !== undefined)
    throw invalid(
      `\`serve.${door}\` stands in ${file}`,
      `one daemon has one door: write it into ${fleet.settings.file}`,
    );
  fleet.claims.set(file, { name, vault });
}

const DOOR = ['listen', 'access', 'tls', 'public_url', 'audit_log'] as const;

function invalid(message: string, hint: string): BackupError {
  return new BackupError('config_invalid', message, { hint });
}
