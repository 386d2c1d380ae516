import { stat } from 'node:fs/promises';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { storeName } from '../config/common.ts';
import { loadSettings, requireAddress, type Settings } from '../config/config.ts';
import type { CommandContext } from '../context.ts';
import { fewDefaults, type ServeDefaults, type ServedJob, servedJobs } from './jobs.ts';

/** A store that the daemon serves, as its configuration has it now. */
export interface ServedStore {
  /** Of the file, without its ending: what metrics and notices call it. */
  readonly name: string;
  readonly file: string;
  readonly settings: Settings;
  readonly vault: string;
  readonly jobs: readonly ServedJob[];
  /** Of the file, from before it was read: what is written from then on shows. */
  readonly fileState: string | null;
}

/** Throws `config_invalid` for what cannot be served. */
export async function readServed(
  context: CommandContext,
  file: string,
  defaultsOf: (store: string) => ServeDefaults = fewDefaults,
): Promise<ServedStore> {
  const { env, cwd } = context;
  const ownState = await stateOfFile(file);
  const settings = await loadSettings({ flags: { ...context.flags, config: file }, env, cwd });
  const fileState = joinStates(ownState, settings.common?.state ?? null);
  const name = storeName(file);
  const jobs = servedJobs(settings, defaultsOf(name));
  if (jobs.every(({ timing }) => timing.kind === 'asked')) {
    throw new BackupError('config_invalid', `${file} asks for no job`, {
      hint: 'write `serve:` with `jobs:`, as incremental: "*/15 * * * *" (docs/serve.md), or `primary:` with a schedule',
    });
  }
  requireAddress(settings, 'store');
  return { name, file, settings, vault: requireAddress(settings, 'vault'), jobs, fileState };
}

/** Reads all, each under its own name. Throws `config_invalid`. */
export async function readAllServed(
  context: CommandContext,
  files: readonly string[],
): Promise<ServedStore[]> {
  const stores: ServedStore[] = [];
  for (const file of files) stores.push(await readServed(context, file));
  const twice = stores.find(({ name }, i) => stores.findIndex((other) => other.name === name) !== i);
  if (twice === undefined) return stores;
  throw new BackupError(
    'config_invalid',
    `two configurations would be called ${JSON.stringify(twice.name)}`,
    {
      hint: 'stores go by the names of their files: give each file another one',
    },
  );
}

/** As `fileState` of a served store is now, with what its file extends. */
export async function stateOfConfig({ file, settings: { common } }: ServedStore): Promise<string | null> {
  const state = await stateOfFile(file);
  return joinStates(state, common === null ? null : await stateOfFile(common.path));
}

function joinStates(own: string | null, common: string | null): string | null {
  return own === null || common === null ? own : `${own} ${common}`;
}

/** Which state of a file was read last, so that a change shows; null while it is not there. */
export async function stateOfFile(file: string): Promise<string | null> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return null;
  }
}

/** The configuration as it is now, with what `accept` made of it; or why the old one stays, since that may refuse it. */
export async function reread<Accepted>(
  context: CommandContext,
  file: string,
  defaultsOf: ((store: string) => ServeDefaults) | undefined,
  accept: (changed: ServedStore) => Promise<Accepted>,
): Promise<
  { readonly served: ServedStore; readonly accepted: Accepted } | { readonly failure: BackupError }
> {
  try {
    const served = await readServed(context, file, defaultsOf);
    return { served, accepted: await accept(served) };
  } catch (error) {
    if (!isBackupError(error)) throw error;
    return { failure: error };
  }
}
