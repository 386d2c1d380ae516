import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { resolveStoreAddress, resolveVaultAddress } from '../address.ts';
import { type configSchema, parseConfig, parseConfigValue, readConfigText } from './file.ts';

/** What many stores have in common stands in one file; that of a store `extends` it and says what is its own. */

/** The file that another one extends. */
export interface CommonFile {
  readonly path: string;
  /** From before it was read: what is written from then on shows. */
  readonly state: string;
}

export interface WholeConfig {
  readonly config: z.infer<typeof configSchema>;
  /** Null: it extends none. */
  readonly common: CommonFile | null;
}

type Values = Readonly<Record<string, unknown>>;

/** The configuration with what the file that it extends says. Throws `config_invalid`, naming the file that is at fault. */
export function parseWithCommon(text: string, path: string): WholeConfig {
  const own = parseConfig(text, path);
  if (own.extends == null) return { config: own, common: null };
  const commonPath = resolve(dirname(path), own.extends);
  const { value, state } = readCommon(commonPath, path);
  const { extends: _, ...ownValues } = readConfigText(text, path).value as Values;
  const shared = filled(inherited(value, dirname(commonPath)), {
    name: storeName(path),
    labels: { ...value.labels, ...own.labels },
    path,
  });
  const config = parseConfigValue(merge(shared as Values, ownValues), path);
  return { config, common: { path: commonPath, state } };
}

/** What metrics, notices and `{name}` call a store: its file, without the ending. */
export function storeName(file: string): string {
  const name = basename(file).replace(/\.ya?ml$/, '');
  return name === 'eventcore.config' ? 'default' : name.replace(/^eventcore\.|\.config$/g, '');
}

interface Common {
  readonly value: Values & { readonly labels?: Readonly<Record<string, string>> };
  readonly state: string;
}

function readCommon(path: string, from: string): Common {
  const { text, state } = readFile(path, from);
  const config = parseConfig(text, path);
  if (config.extends != null)
    throw new BackupError('config_invalid', `${from} extends ${path}, which extends another file`, {
      hint: 'one file has what is common, and extends none',
    });
  return { value: readConfigText(text, path).value as Common['value'], state };
}

function readFile(path: string, from: string): { readonly text: string; readonly state: string } {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return { text: readFileSync(path, 'utf8'), state: `${mtimeMs} ${size} ${ino}` };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new BackupError(
      'config_invalid',
      `${from}: cannot read ${path}, which it extends (${code ?? 'unknown'})`,
      {
        hint: '`extends:` names a file as seen from the folder of the one it stands in',
        cause,
      },
    );
  }
}

/** The fleet is of the common file, and one daemon has one door. */
const NOT_INHERITED: ReadonlySet<string> = new Set([
  ...['fleet', 'serve.listen', 'serve.access', 'serve.tls', 'serve.public_url', 'serve.audit_log'],
]);
/** Vaults and folders, which may be bare paths. */
const PATHS: ReadonlySet<string> = new Set([
  ...['vault', 'primary.storage', 'replicas.storage', 'archive.storage', 'change_log.spool'],
  'serve.restore_to.sqlite',
]);
const STORE_OR_SECRET = /^(?:sqlite|eventcore-fs|file):/;

/** What stores have of the common file. Relative paths in it are seen from its folder, wherever the store's own file is. */
function inherited(value: unknown, folder: string, place = ''): unknown {
  if (typeof value === 'string') return seenFrom(value, folder, place);
  if (Array.isArray(value)) return value.map((one) => inherited(one, folder, place));
  if (!isMap(value)) return value;
  const below = (key: string): string => (place === '' ? key : `${place}.${key}`);
  const kept = Object.entries(value).filter(([key]) => !NOT_INHERITED.has(below(key)));
  return Object.fromEntries(kept.map(([key, one]) => [key, inherited(one, folder, below(key))]));
}

function seenFrom(text: string, folder: string, place: string): string {
  try {
    if (place === 'serve.restore_to.sqlite') return resolve(folder, text);
    if (PATHS.has(place) || text.startsWith('file:')) return resolveVaultAddress(text, folder);
    return STORE_OR_SECRET.test(text) ? resolveStoreAddress(text, folder) : text;
  } catch (error) {
    // It is refused where it is used, with a better reason.
    if (isBackupError(error)) return text;
    throw error;
  }
}

interface Names {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly path: string;
}

/** What an address can hold that stands for another one. */
const SAFE_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,118}[A-Za-z0-9_])?$/;
const PLACEHOLDER = /(?<!\$)\{(name|labels\.[A-Za-z0-9_./-]+)\}/g;

/** `{name}` and `{labels.team}` in what is common stand for those of the store. */
function filled(value: unknown, names: Names): unknown {
  if (typeof value === 'string')
    return value.replace(PLACEHOLDER, (_, what: string) => placeholderOf(what, names));
  if (Array.isArray(value)) return value.map((one) => filled(one, names));
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one, names)]));
}

function placeholderOf(what: string, { name, labels, path }: Names): string {
  if (what === 'name') {
    if (SAFE_NAME.test(name)) return name;
    throw new BackupError(
      'config_invalid',
      `${path}: ${JSON.stringify(name)} cannot stand for \`{name}\` in an address`,
      {
        hint: 'name the file with letters, digits and - _ . between them',
      },
    );
  }
  const label = what.slice('labels.'.length);
  const value = labels[label];
  if (value !== undefined && value !== '') return value;
  throw new BackupError(
    'config_invalid',
    `${path}: the common file asks for its label ${JSON.stringify(label)}`,
    {
      hint: `write \`labels: { ${label}: … }\``,
    },
  );
}

/** Maps are put together, key by key; else what is a store's own stands for what is common, also where it is empty. */
function merge(common: Values, own: Values): Values {
  const merged: Record<string, unknown> = { ...common };
  for (const [key, value] of Object.entries(own)) {
    const below = common[key];
    merged[key] = isMap(value) && isMap(below) ? merge(below, value) : value;
  }
  return merged;
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
