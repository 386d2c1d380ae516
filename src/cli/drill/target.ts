import { existsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { BackupError } from '../../core/errors.ts';
import { isSameStore, redactAddress, storeScheme } from '../address.ts';
import type { Settings } from '../config/config.ts';

/** Where a drill restores to. */
export type DrillPlace =
  | { readonly kind: 'files'; readonly folder: string }
  | { readonly kind: 'databases'; readonly address: string }
  | { readonly kind: 'server'; readonly folder: string; readonly binDir: string };

interface PlaceSources {
  /** `--target`; it beats the configuration. */
  readonly flag: string | undefined;
  readonly settings: Settings;
  readonly cwd: string;
  /** The programs of PostgreSQL on this machine; null when there are none. */
  readonly binDir: string | null;
}

const EXAMPLES =
  'targets are sqlite, sqlite:FOLDER, postgres (programs on this machine) and postgres://user@host/database';

/** Throws `usage` for what is no target, and for the store itself. */
export function chooseDrillPlace({ flag, settings, cwd, binDir }: PlaceSources): DrillPlace {
  const text = flag ?? settings.drill.target ?? defaultTarget(settings, binDir);
  const base = flag === undefined && settings.file !== null ? dirname(settings.file) : cwd;
  if (text === 'sqlite') return { kind: 'files', folder: tmpdir() };
  if (text === 'postgres') {
    if (binDir !== null) return { kind: 'server', folder: tmpdir(), binDir };
    throw new BackupError('usage', 'no programs of PostgreSQL (initdb, postgres) were found for the drill', {
      hint: 'set PG_BIN to their folder, or name another target: sqlite, or postgres://user@host/postgres',
    });
  }
  if (storeScheme(text) === 'sqlite') return { kind: 'files', folder: folderOf(text, settings, base) };
  if (storeScheme(text) === 'eventcore-fs') {
    throw new BackupError('usage', 'no drill restores into a folder of transaction files', {
      hint: `the events of such a store are tried in a database, which holds all of them. ${EXAMPLES}`,
    });
  }
  if (settings.store !== null && isSameStore(settings.store, text)) throw isStore(text);
  return { kind: 'databases', address: text };
}

/** Like the store's own kind where that can be made here: so its types are tried too. */
function defaultTarget({ store }: Settings, binDir: string | null): string {
  return store !== null && storeScheme(store) === 'postgres' && binDir !== null ? 'postgres' : 'sqlite';
}

function folderOf(text: string, { store }: Settings, base: string): string {
  const folder = resolve(base, text.slice('sqlite:'.length));
  if (store !== null && isSameStore(store, `sqlite:${folder}`)) throw isStore(text);
  if (existsSync(folder) && statSync(folder).isDirectory()) return folder;
  throw new BackupError('usage', `${folder} is no folder in which a drill could make its files`, {
    hint: EXAMPLES,
  });
}

function isStore(text: string): BackupError {
  return new BackupError('usage', `${redactAddress(text)} is the configured store: no drill touches it`, {
    hint: `name another place; of its server, another database, as /postgres: a drill makes one of its own. ${EXAMPLES}`,
  });
}
