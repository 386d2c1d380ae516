import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, startStandby, type TestPostgres } from './postgres.ts';

/** A primary and the standbys that stream from it, with their settings in files as where people run them. */
export interface Cluster {
  readonly primary: TestPostgres;
  readonly standbys: readonly TestPostgres[];
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** Of all servers. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly version?: string;
  /** Without checksums, `wal_log_hints` is on unless the settings say otherwise. */
  readonly withoutChecksums?: boolean;
  readonly primary?: Place;
  /** Left out: one. */
  readonly standbys?: readonly Place[];
}

export interface Place {
  /** By which `synchronous_standby_names` knows a standby; left out: `standby1`, … */
  readonly name?: string;
  readonly host?: string;
  readonly port?: number;
  readonly settings?: Readonly<Record<string, string>>;
  /** In front of the server's command line, run as root: `['ip', 'netns', 'exec', 'west']`. */
  readonly prefix?: readonly string[];
}

const SETTINGS: Readonly<Record<string, string>> = {
  wal_log_hints: 'on',
  wal_keep_size: '512MB',
  max_wal_senders: '10',
  wal_receiver_status_interval: '1s',
};

const STREAM_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

/** All standbys stream when it is returned. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const started: TestPostgres[] = [];
  const stop = async (): Promise<void> => {
    for (const server of started.toReversed()) await server.stop();
  };
  try {
    const { primary: place = {}, standbys = [{}], version, withoutChecksums } = options;
    const primary = await startPostgres({
      ...(version === undefined ? {} : { version }),
      ...(withoutChecksums === undefined ? {} : { withoutChecksums }),
      ...at(place, options),
    });
    started.push(primary);
    for (const [i, standby] of standbys.entries()) {
      started.push(await addStandby(primary, { name: `standby${i + 1}`, ...standby }, options));
    }
    await waitForStandbys(primary, standbys.length);
    return { primary, standbys: started.slice(1), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Another standby of a server that takes writes. */
export function addStandby(
  primary: TestPostgres,
  place: Place & { readonly name: string },
  options: Pick<ClusterOptions, 'settings'> = {},
): Promise<TestPostgres> {
  const from = `host=${primary.host} port=${primary.port} user=postgres application_name=${place.name}`;
  const { settings, ...rest } = at(place, options);
  return startStandby(primary, { ...rest, settings: { ...settings, primary_conninfo: from } });
}

function at({ host, port, prefix, settings: own }: Place, { settings }: Pick<ClusterOptions, 'settings'>) {
  return {
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(prefix === undefined ? {} : { prefix }),
    settings: { ...SETTINGS, ...settings, ...own },
    isConfiguredByFile: true,
  };
}

/** Until so many standbys stream from a server. */
export async function waitForStandbys(server: TestPostgres, count: number): Promise<void> {
  const lateMs = performance.now() + STREAM_TIMEOUT_MS;
  for (;;) {
    const [row] = await server.exec(
      "SELECT count(*)::int AS n FROM pg_stat_replication WHERE state = 'streaming'",
    );
    if (Number(row!.n) >= count) return;
    if (performance.now() > lateMs) throw new Error(`${count} standbys do not stream from ${server.port}`);
    await sleep(POLL_MS);
  }
}

/**
 * Ends a whole server as a machine that loses its power does: no process of it runs another instruction. Its files stay; `restart`
 * starts it again.
 */
export async function killServer(server: TestPostgres): Promise<void> {
  const pid = server.pid();
  if (pid === null) return;
  // Stopped, it cannot tell its children of the death of one of them.
  signal(pid, 'SIGSTOP');
  for (const child of childrenOf(pid)) signal(child.pid, 'SIGKILL');
  signal(pid, 'SIGKILL');
  // A child may have been on its way, and the memory that they share is in use until the last one is gone.
  for (let left = workingIn(server.dataDir); left.length > 0; left = workingIn(server.dataDir)) {
    for (const one of left) signal(one, 'SIGKILL');
    await sleep(2);
  }
  while (server.pid() !== null) await sleep(1);
}

function workingIn(folder: string): number[] {
  const real = realpathSync(folder);
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && folderOf(pid) === real);
}

function folderOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null;
  }
}

/** Standbys get nothing more, and no end either. Gives what lets them go on. */
export function stopSenders(server: TestPostgres): () => void {
  const pid = server.pid();
  const senders = pid === null ? [] : childrenOf(pid).filter(({ title }) => title.includes('walsender'));
  for (const sender of senders) signal(sender.pid, 'SIGSTOP');
  return () => {
    for (const sender of senders) signal(sender.pid, 'SIGCONT');
  };
}

/** All processes of a server stand still, as on a machine that hangs. Gives what lets them go on. */
export function freezeServer(server: TestPostgres): () => void {
  const pid = server.pid();
  if (pid === null) return () => undefined;
  const all = [pid, ...childrenOf(pid).map((child) => child.pid)];
  for (const one of all) signal(one, 'SIGSTOP');
  return () => {
    for (const one of all) signal(one, 'SIGCONT');
  };
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // Gone by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function childrenOf(parent: number): { pid: number; title: string }[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && parentOf(pid) === parent)
    .map((pid) => ({ pid, title: readProc(pid, 'cmdline') }));
}

function parentOf(pid: number): number | null {
  const stat = readProc(pid, 'stat');
  // The program's name stands in brackets, and may hold anything.
  const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return parent === undefined ? null : Number(parent);
}

function readProc(pid: number, file: 'stat' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
