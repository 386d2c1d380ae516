import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { CustomMappings } from '../core/custom-mapping.ts';
import type { RegionServer, Rejoiner } from '../core/disaster-ports.ts';
import type { DrillTargets } from '../core/drill-target.ts';
import { BackupError } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import type { Vault } from '../core/vault.ts';
import type { Writers } from '../core/writers.ts';
import type { RejoinOptions } from '../servers/postgres/rejoin.ts';
import type { NewStore } from '../targets/new-store.ts';
import { findProcessState, nameProcess, parseProcess } from '../vaults/fs/process-name.ts';
import { openDirectoryVault } from '../vaults/fs/vault.ts';
import { memoryVault } from '../vaults/memory/vault.ts';
import { openS3Vault } from '../vaults/s3/vault.ts';
import type { RateBudget } from '../vaults/wrappers/rate.ts';
import { type ThrottleOptions, throttleVault } from '../vaults/wrappers/throttle.ts';
import { storeScheme, vaultPath, vaultScheme } from './address.ts';
import type { ShardsSection } from './config/shards-schema.ts';
import type { DrillPlace } from './drill/target.ts';
import type { RestorePlace } from './serve/restore-places.ts';

/** The one place that knows which adapters there are. */

export const systemClock: Clock = { now: Date.now, uuid: randomUUID };

export const systemWriters: Writers = {
  self: nameProcess(),
  stateOf: (writer) => {
    const named = parseProcess(writer);
    // Where no system tells when a process started, its number alone does not name it.
    return named === null || named.start === 0 ? 'unknown' : findProcessState(named);
  },
};

/** How this process is named to those who wait for what it holds. */
export const systemHolder = `process ${process.pid} on ${hostname()}`;

/** What deals with keys: loaded where something is sealed, opened or signed. */
export async function loadKeysRoom() {
  const [open, secret, identityFile, signer] = await Promise.all([
    import('../keys/open.ts'),
    import('../keys/secret.ts'),
    import('../keys/identity-file.ts'),
    import('../keys/signer.ts'),
  ]);
  return {
    openKeys: open.openKeys,
    parseIdentitySource: open.parseIdentitySource,
    parsePassphraseSource: secret.parsePassphraseSource,
    parseSecretSource: secret.parseSecretSource,
    readSecret: secret.readSecret,
    trimLineEnd: secret.trimLineEnd,
    makeIdentityFile: identityFile.makeIdentityFile,
    makeSigningKeyFile: signer.makeSigningKeyFile,
  };
}

/** Of the configuration: one process has one. */
let layouts: CustomMappings = {};

/** Says what `?layout=` in the address of a store may name besides what is known anyway. */
export function useLayouts(given: CustomMappings): void {
  layouts = given;
}

/** For a thread, which opens the same stores. */
export function layoutsInUse(): CustomMappings {
  return layouts;
}

let shards: ShardsSection = {};

/** Says what `shards:NAME` is. */
export function useShards(given: ShardsSection): void {
  shards = given;
}

/** For a thread, which opens the same stores. */
export function shardsInUse(): ShardsSection {
  return shards;
}

async function openShards(address: string): Promise<EventStore> {
  const name = address.slice('shards:'.length);
  const section = Object.hasOwn(shards, name) ? shards[name]! : null;
  if (section === null) {
    throw new BackupError('usage', `the configuration has no shards of the name ${JSON.stringify(name)}`, {
      hint: 'name their addresses under `shards:` in the configuration (docs/partitions-and-shards.md)',
    });
  }
  const { openShardsStore } = await import('../stores/shards/store.ts');
  const stores = await Promise.all(section.stores.map(openStore));
  return openShardsStore(address, stores, section.placement ?? null);
}

/** Each is loaded when it is used: a driver takes a while, and not every installation has to have them all. */
const STORES: Readonly<Record<string, (address: string) => Promise<EventStore>>> = {
  sqlite: async (address) => (await import('../stores/sqlite/store.ts')).openSqliteStore(address),
  'eventcore-fs': async (address) => (await import('../stores/files/store.ts')).openFilesStore(address),
  postgres: async (address) =>
    (await import('../stores/postgres/store.ts')).openPostgresStore(address, layouts),
  shards: openShards,
};

/** Opens a store by its address. Nothing is connected or created yet. Throws `usage` for an unknown kind. */
export async function openStore(address: string): Promise<EventStore> {
  const open = STORES[storeScheme(address)];
  if (open !== undefined) return open(address);
  throw new BackupError('usage', `no store of the kind ${JSON.stringify(storeScheme(address))}`, {
    hint: `stores are ${Object.keys(STORES).join(':…, ')}:…`,
  });
}

/** Opens a vault by its address. Nothing is read or created yet. Throws `usage` for an unknown kind. */
export function openVault(address: string): Vault {
  return vaultScheme(address) === 's3' ? openS3Vault(address) : openDirectoryVault(vaultPath(address));
}

const BUDGETS = new WeakMap<Vault, RateBudget>();

/** The same vault, through which no more passes than is said. */
export function limitVault(vault: Vault, options: ThrottleOptions): Vault {
  const limited = throttleVault(vault, options);
  BUDGETS.set(limited, options.budget);
  return limited;
}

/** What a thread needs to open a vault as it is open here: what is limited, together with the others. */
export interface VaultPlace {
  readonly address: string;
  readonly budget: RateBudget | null;
}

export function placeOf(vault: Vault): VaultPlace {
  return { address: vault.address, budget: BUDGETS.get(vault) ?? null };
}

/** As `openVault`, in a thread. */
export function openVaultAt({ address, budget }: VaultPlace, signal?: AbortSignal): Vault {
  const vault = openVault(address);
  if (budget === null) return vault;
  return limitVault(vault, signal === undefined ? { budget } : { budget, signal });
}

/** Where a drill restores to. Nothing is made before its first target. */
export async function openDrillTargets(place: DrillPlace): Promise<DrillTargets> {
  const common = { writers: systemWriters, openStore };
  if (place.kind === 'files')
    return (await import('../targets/sqlite-files.ts')).sqliteFileTargets({ ...common, ...place });
  if (place.kind === 'databases') {
    const { postgresDatabaseTargets } = await import('../targets/postgres-databases.ts');
    return postgresDatabaseTargets({ ...common, ...place });
  }
  return (await import('../targets/postgres-server.ts')).postgresServerTargets({ ...common, ...place });
}

/** An empty place for a restore that stays, as `newStoreName` called it. */
export async function makeNewStore({ kind, place }: RestorePlace, name: string): Promise<NewStore> {
  const { newPostgresStore, newSqliteStore } = await import('../targets/new-store.ts');
  return kind === 'sqlite' ? newSqliteStore(join(place, name)) : newPostgresStore(place, name);
}

/** The folder of the programs with which a server of PostgreSQL can be made here; null when there are none. */
export async function findDrillPrograms(env: CommandEnv): Promise<string | null> {
  return (await import('../targets/postgres-programs.ts')).findPostgresPrograms(env);
}

type CommandEnv = Readonly<Record<string, string | undefined>>;

/** What tells people: loaded where somebody is told. */
export async function loadNotifiersRoom() {
  const [log, webhook, slack, mail, command] = await Promise.all([
    import('../notifiers/log.ts'),
    import('../notifiers/webhook.ts'),
    import('../notifiers/slack.ts'),
    import('../notifiers/mail.ts'),
    import('../notifiers/command.ts'),
  ]);
  return {
    logNotifier: log.logNotifier,
    webhookNotifier: webhook.webhookNotifier,
    slackNotifier: slack.slackNotifier,
    mailNotifier: mail.mailNotifier,
    commandNotifier: command.commandNotifier,
  };
}

/** A server as a recovery sees it. Nothing is connected yet. Throws `usage` for what is no address of one. */
export async function openRegionServer(place: {
  readonly region: string;
  readonly address: string;
}): Promise<RegionServer> {
  return (await import('../servers/postgres/server.ts')).openRegionServer(place);
}

/** Makes a standby of an old primary, on its own host. Nothing is run yet. Throws `usage` for what is no address. */
export async function openRejoiner(options: RejoinOptions): Promise<Rejoiner> {
  return (await import('../servers/postgres/rejoin.ts')).postgresRejoiner(options);
}

/** What else a recovery does to the world: loaded where there is one. */
export async function loadActionsRoom() {
  const [fence, kubernetesFence, scaler, kubernetesScaler, webhook, hook, client] = await Promise.all([
    import('../actions/fences/command.ts'),
    import('../actions/fences/kubernetes.ts'),
    import('../actions/scale/command.ts'),
    import('../actions/scale/kubernetes.ts'),
    import('../actions/scale/webhook.ts'),
    import('../actions/hooks/command.ts'),
    import('../actions/kubernetes/client.ts'),
  ]);
  return {
    commandFence: fence.commandFence,
    kubernetesFence: kubernetesFence.kubernetesFence,
    commandScaler: scaler.commandScaler,
    kubernetesScaler: kubernetesScaler.kubernetesScaler,
    webhookScaler: webhook.webhookScaler,
    commandHook: hook.commandHook,
    accessInPod: client.accessInPod,
  };
}

/** Runs a vantage point's command and gives what it wrote. Throws `action_failed` with the last of what it said. */
export async function runVantage(
  command: readonly string[],
  { env, cwd }: { readonly env: CommandEnv; readonly cwd: string },
  signal: AbortSignal,
): Promise<string> {
  const { runProgram } = await import('../outside/run-program.ts');
  const keeps = { stdoutBytes: VANTAGE_BYTES, stderrBytes: VANTAGE_WORDS };
  const { how, code, stdout, stderr } = await runProgram({ command, env, cwd, keeps, signal });
  if (how === 'ended' && code === 0) return stdout.toString('utf8');
  const said = stderr.toString('utf8').trim();
  throw new BackupError(
    'action_failed',
    `${command[0]} ended with ${code}${said === '' ? '' : `: ${said}`}`,
    {
      hint: 'run its command by hand, as the user of this process',
    },
  );
}

/** An answer is some kilobytes. */
const VANTAGE_BYTES = 1 << 20;
const VANTAGE_WORDS = 500;

/** Where jobs for other machines wait: loaded where one is named. */
export function loadQueuesRoom() {
  return import('../queues/postgres/queue.ts');
}

/** What switches public names: loaded where one is kept. */
export async function loadNamesRoom() {
  const [rfc2136, key, route53, command, value] = await Promise.all([
    import('../actions/names/rfc2136.ts'),
    import('../actions/names/tsig-key.ts'),
    import('../actions/names/route53.ts'),
    import('../actions/names/command.ts'),
    import('../actions/names/record-value.ts'),
  ]);
  return {
    canonicalValue: value.canonicalValue,
    rfc2136Name: rfc2136.rfc2136Name,
    parseTsigKey: key.parseTsigKey,
    route53Name: route53.route53Name,
    commandName: command.commandName,
  };
}

/** Stands for a vault that is not there yet. */
export const emptyVault: () => Vault = memoryVault;

/** The databases of a server of PostgreSQL, each with a setting that is its own. Throws as the server does. */
export async function listServerDatabases(address: string, setting: string, signal: AbortSignal) {
  const { listDatabases } = await import('../servers/postgres/databases.ts');
  return listDatabases(address, setting, signal);
}
