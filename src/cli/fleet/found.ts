import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { BackupError } from '../../core/errors.ts';
import { withDatabase } from '../../core/postgres-address.ts';
import { areTooManyGone, type FoundDatabase } from '../../policy/found-databases.ts';
import type { FleetSettings } from './members.ts';
import type { FoundServer } from './schema.ts';

/**
 * Databases that were found on a server get a configuration each, as if somebody had written it: they are served by it, also while the
 * server is away and after every start, and it is there when one of them has to be restored.
 */

/** A server that is searched, and where the configurations of its databases are. */
export interface SearchedServer extends FoundServer {
  readonly name: string;
  readonly folder: string;
}

export function searchedServers({ fleet: { found }, file }: FleetSettings): SearchedServer[] {
  return Object.entries(found?.servers ?? {}).map(([name, server]) => ({
    ...{ ...server, name },
    folder: resolve(dirname(file), found?.folder ?? 'found', name),
  }));
}

/** Those of databases that are gone are kept, to restore by: nobody serves what is in there. */
const GONE = 'gone';
/** Where a database comes and goes with each customer, they would be ever more. */
const MOST_GONE = 1000;

/**
 * Writes what is new or changed, and puts aside what is gone: each file at once, so that whoever dies here leaves whole ones, and several
 * daemons do the same. Answers why it left them all as they were, or null. Throws `config_invalid` where the folder cannot be written.
 */
export async function keepFound(
  server: SearchedServer,
  databases: readonly FoundDatabase[],
  common: string,
): Promise<string | null> {
  const wanted = new Map(databases.map((one) => [fileName(one.name), foundText(server, one, common)]));
  try {
    await mkdir(server.folder, { recursive: true, mode: 0o700 });
    const there = (await readdir(server.folder)).filter((name) => /^[^.].*\.yaml$/.test(name));
    const gone = there.filter((name) => !wanted.has(name));
    for (const [name, text] of wanted) await writeChanged(server.folder, name, text);
    if (areTooManyGone(gone.length, wanted.size))
      return `${gone.length} databases are gone from the server or not marked any more, all at once: they stay served; where that is meant, remove their files from ${server.folder}`;
    for (const name of gone) await putAside(server.folder, name);
    if (gone.length > 0) await forgetOldest(join(server.folder, GONE));
    return null;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    throw new BackupError('config_invalid', `cannot write the configurations in ${server.folder} (${code})`, {
      hint: 'name a folder that the daemon may write in as `fleet.found.folder`',
      cause,
    });
  }
}

/** A name that cannot stand in a path is told when the file is read. */
function fileName(database: string): string {
  return `${encodeURIComponent(database).replace(/^\./, '%2E')}.yaml`;
}

/** The store stands in it, and not in what is common: the database is this one, whatever the file is called. */
function foundText(
  { name, address, store }: SearchedServer,
  { name: database, labels }: FoundDatabase,
  common: string,
): string {
  const what = `the database ${JSON.stringify(database)} of \`fleet.found.servers.${name}\``;
  return `# Written by \`eventcore serve\`: ${what}. It is written anew when that changes.\n${stringify({
    extends: common,
    store: withDatabase(store ?? address, database),
    // Whoever owns the database writes its labels, but not on which server it is.
    labels: { ...labels, server: name },
  })}`;
}

async function writeChanged(folder: string, name: string, text: string): Promise<void> {
  const path = join(folder, name);
  const before = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (before === text) return;
  const unfinished = join(folder, `.${hostname()}.${process.pid}.unfinished`);
  await writeFile(unfinished, text, { mode: 0o600 });
  await rename(unfinished, path);
}

async function putAside(folder: string, name: string): Promise<void> {
  const aside = join(folder, GONE, name);
  await mkdir(join(folder, GONE), { recursive: true, mode: 0o700 });
  await unlessGone(rename(join(folder, name), aside));
  // When it went, not when it was written.
  await unlessGone(utimes(aside, new Date(), new Date()));
}

/** Keeps those that went last. */
async function forgetOldest(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.length <= MOST_GONE) return;
  const wentAt = new Map<string, number>();
  for (const name of names) wentAt.set(name, (await unlessGone(stat(join(folder, name))))?.mtimeMs ?? 0);
  const oldest = names.toSorted((a, b) => wentAt.get(a)! - wentAt.get(b)!).slice(0, names.length - MOST_GONE);
  for (const name of oldest) await rm(join(folder, name), { force: true });
}

/** Another daemon may be quicker. */
async function unlessGone<Found>(found: Promise<Found>): Promise<Found | null> {
  return found.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}
