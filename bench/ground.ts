import { rmSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startPostgres, type TestPostgres } from '../test/harness/postgres.ts';
import type { Contender, Place } from './contenders/contender.ts';
import { appendChange, loadHistory } from './dataset.ts';
import { type Command, measure } from './measure.ts';
import { readServerPid } from './process-tree.ts';
import type { Figures } from './results.ts';

/** Where everything is measured: a server of its own, the stores with the events, and a folder for what is written. */
export interface Ground {
  readonly postgres: TestPostgres;
  readonly serverPid: number;
  readonly folder: string;
  /** What contenders wrote that others work on, by name. */
  readonly inputs: Map<string, string>;
  /** Makes names of files and databases. */
  made: number;
}

/**
 * The same for all, as on a server of a few GB. Only what would disturb at a random moment is off: a checkpoint by the
 * clock, and autovacuum.
 */
const SETTINGS = {
  fsync: 'on',
  shared_buffers: '2GB',
  maintenance_work_mem: '64MB',
  max_wal_size: '8GB',
  checkpoint_timeout: '1d',
  autovacuum: 'off',
};
const WAL_BYTES = 8e9;
/** The stores with their indexes, one more that is restored, and all that is kept meanwhile. */
const BYTES_PER_EVENT = 3500;
const SOURCE = 'source';

export async function openGround(): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), 'eventcore-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const postgres = await startPostgres({ settings: SETTINGS });
  return { postgres, serverPid: readServerPid(postgres.dataDir), folder, inputs: new Map(), made: 0 };
}

export async function closeGround({ postgres, folder }: Ground): Promise<void> {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}

/** Throws when the disk would become full on the way. */
export async function requireDisk({ folder }: Ground, events: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const neededBytes = events * BYTES_PER_EVENT + WAL_BYTES;
  if (bavail * bsize >= neededBytes) return;
  const gb = (bytes: number): string => `${(bytes / 1e9).toFixed(0)} GB`;
  throw new Error(
    `${events} events need about ${gb(neededBytes)} in ${dirname(folder)}, and ${gb(bavail * bsize)} are free: ask for fewer, or set TMPDIR`,
  );
}

/** Fills the stores that these contenders work on. */
export async function loadStores(
  ground: Ground,
  contenders: readonly Contender[],
  events: number,
): Promise<void> {
  for (const store of new Set(contenders.map((one) => one.store))) {
    const startedAt = performance.now();
    if (store === 'postgres') await loadPostgres(ground, events);
    else await loadHistory(sqliteSource(ground), events);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    console.log(`${store}: ${events.toLocaleString('en')} events loaded in ${seconds} s`);
  }
}

async function loadPostgres({ postgres }: Ground, events: number): Promise<void> {
  await postgres.createDatabase(SOURCE);
  await loadHistory(postgres.address(SOURCE), events);
  // As an application leaves it: no reader has anything left to note in the rows.
  await postgres.exec('VACUUM ANALYZE eventcore_events', SOURCE);
}

/** Lets a contender do its work once, on a server that has nothing else to do. */
export async function runOnce(
  ground: Ground,
  contender: Contender,
  all: readonly Contender[],
  change: (command: Command) => Command = (command) => command,
): Promise<Figures> {
  const place = await makePlace(ground, contender, all);
  await prepare(ground, contender, place);
  const before = await sizeOf(place.output);
  const serverPid = contender.store === 'postgres' ? ground.serverPid : null;
  const measured = await measure(change(contender.command(place)), serverPid);
  const isBackup = contender.work.endsWith('backup');
  const written = isBackup ? (await sizeOf(place.output)) - before : null;
  const bytes = contender.bytes === undefined ? written : await contender.bytes(place);
  await removeOutputs(ground, contender, place);
  return { ...measured, bytes };
}

async function makePlace(ground: Ground, contender: Contender, all: readonly Contender[]): Promise<Place> {
  const { postgres, folder } = ground;
  const input = contender.input === undefined ? '' : await makeInput(ground, contender.input, all);
  ground.made += 1;
  const output = join(folder, `output-${ground.made}`);
  const database = `target_${ground.made}`;
  if (contender.target === 'postgres') await postgres.createDatabase(database);
  return {
    source: contender.store === 'postgres' ? postgres.address(SOURCE) : sqliteSource(ground),
    target: contender.target === 'postgres' ? postgres.address(database) : `sqlite:${output}.db`,
    input,
    output,
    server: { dataDir: postgres.dataDir, socketDir: dirname(postgres.dataDir), port: postgres.port },
  };
}

/** What this contender writes, made once and kept. */
async function makeInput(ground: Ground, name: string, all: readonly Contender[]): Promise<string> {
  const known = ground.inputs.get(name);
  if (known !== undefined) return known;
  const contender = all.find((one) => one.name === name);
  if (contender === undefined) throw new Error(`no contender is called ${name}`);
  const place = await makePlace(ground, contender, all);
  await prepare(ground, contender, place);
  await measure(contender.command(place), null);
  ground.inputs.set(name, place.output);
  return place.output;
}

async function prepare({ postgres, made }: Ground, contender: Contender, place: Place): Promise<void> {
  for (const command of contender.prepare?.(place) ?? []) await measure(command, null);
  const { newEvents: events = 0 } = contender;
  if (events > 0) await appendChange(place.source, { seed: made, events });
  // So that what others wrote is not written out in this one's time.
  await postgres.exec('CHECKPOINT');
}

async function removeOutputs({ postgres }: Ground, { target }: Contender, place: Place): Promise<void> {
  for (const path of [place.output, `${place.output}.db`]) await rm(path, { recursive: true, force: true });
  if (target === 'postgres') await postgres.exec(`DROP DATABASE "${place.target.split('/').at(-1)}"`);
}

function sqliteSource({ folder }: Ground): string {
  return `sqlite:${join(folder, 'source.db')}`;
}

/** Bytes of a file, or of all files in a folder; 0 when nothing is there. */
async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => null);
  if (found === null) return 0;
  if (!found.isDirectory()) return found.size;
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(join(file.parentPath, file.name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
