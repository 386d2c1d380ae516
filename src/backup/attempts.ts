import { isBackupError } from '../core/errors.ts';
import type { StoreCursor } from '../core/event-store.ts';
import type { Vault } from '../core/vault.ts';
import type { Writers } from '../core/writers.ts';
import {
  type Attempt,
  attemptName,
  decodeAttempt,
  MAX_ATTEMPT_BYTES,
  parseAttemptName,
} from '../format/attempt-codec.ts';
import {
  BACKUPS_PREFIX,
  eventFileName,
  indexFileName,
  MANIFEST_NAME,
  parseBundleName,
  parseEventFileName,
} from '../format/bundle.ts';

/** A full backup that was not finished, with all runs that worked on it. */
export interface FoundAttempt {
  readonly folder: string;
  readonly backupId: string;
  /** By number, from 1, none missing. Null when one of them cannot be read. */
  readonly runs: readonly [Attempt, ...Attempt[]] | null;
  /** Names of all objects in the folder, without the folder. */
  readonly names: ReadonlySet<string>;
}

/** All attempts of a vault that left word of themselves, the newest first. Reads no manifest. */
export async function findAttempts(vault: Vault): Promise<FoundAttempt[]> {
  const folders = new Map<string, { backupId: string; names: Set<string> }>();
  for await (const { name } of vault.list(BACKUPS_PREFIX)) {
    const parsed = parseBundleName(name);
    if (parsed?.kind !== 'full') continue;
    const { folder, backupId } = parsed;
    const found = folders.get(folder) ?? { backupId, names: new Set() };
    found.names.add(name.slice(folder.length));
    folders.set(folder, found);
  }
  const attempts: FoundAttempt[] = [];
  for (const [folder, { backupId, names }] of folders) {
    if (names.has(MANIFEST_NAME) || !names.has(attemptName(1))) continue;
    attempts.push({ folder, backupId, names, runs: await readRuns(vault, folder, backupId, names) });
  }
  const startOf = ({ runs }: FoundAttempt): string => runs?.[0].startedAt ?? '';
  return attempts.sort((a, b) => compareText(startOf(b), startOf(a)));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What is in the folder of an attempt now; null when there is no attempt any more. */
export async function lookAgain(
  vault: Vault,
  { folder, backupId }: FoundAttempt,
): Promise<FoundAttempt | null> {
  const names = new Set<string>();
  for await (const { name } of vault.list(folder)) names.add(name.slice(folder.length));
  if (names.has(MANIFEST_NAME) || !names.has(attemptName(1))) return null;
  return { folder, backupId, names, runs: await readRuns(vault, folder, backupId, names) };
}

async function readRuns(
  vault: Vault,
  folder: string,
  backupId: string,
  names: ReadonlySet<string>,
): Promise<FoundAttempt['runs']> {
  const count = [...names].filter((name) => parseAttemptName(name) !== null).length;
  const runs: Attempt[] = [];
  for (let number = 1; number <= count; number += 1) {
    const run = await readRun(vault, folder + attemptName(number));
    if (run?.number !== number || run.backupId !== backupId) return null;
    runs.push(run);
  }
  const [first, ...later] = runs;
  return first === undefined ? null : [first, ...later];
}

async function readRun(vault: Vault, name: string): Promise<Attempt | null> {
  try {
    const info = await vault.stat(name);
    if (info === null || info.sizeBytes > MAX_ATTEMPT_BYTES) return null;
    return decodeAttempt(await vault.readRange(name, 0, info.sizeBytes));
  } catch (error) {
    // It may have been removed since.
    if (isBackupError(error, 'vault_object_missing', 'damaged')) return null;
    throw error;
  }
}

/** Ids of the attempts that this process works on. */
export const atWork = new Set<string>();

/** Why an attempt is not to be taken up; null when nothing speaks against it but perhaps the store. */
export function whyNotTakenUp(
  { runs, backupId }: FoundAttempt,
  wanted: Pick<Attempt, 'format' | 'compression' | 'level'> & { readonly isNamed: boolean },
  writers: Writers,
): string | null {
  if (runs === null) return 'what it says of itself is damaged';
  const { writer } = runs.at(-1)!;
  const ownState = atWork.has(backupId) ? 'alive' : 'dead';
  const state = writer === writers.self ? ownState : writers.stateOf(writer);
  if (state === 'alive') return 'it is being written';
  for (const key of ['format', 'compression', 'level'] as const) {
    if (runs[0][key] === wanted[key]) continue;
    return `its ${key} is ${runs[0][key] ?? 'the default'}, not ${wanted[key] ?? 'the default'}`;
  }
  if (state === 'dead' || wanted.isNamed) return null;
  return 'whether it is still being written, only another machine or container could say';
}

const STORE_FIELDS = ['kind', 'systemIdentifier', 'database', 'relation'] as const;

/** Whether two cursors are of one store, as far as that is known. */
export function isOfStore(cursor: StoreCursor, here: StoreCursor): boolean {
  return STORE_FIELDS.every((field) => cursor[field] != null && cursor[field] === here[field]);
}

/** Whether what changes after the view of this cursor can ever be told. */
export function canBeTakenUp({ snapshot }: StoreCursor): boolean {
  return typeof snapshot === 'string';
}

/** A part that was read, and the event file that it was read into. */
export interface KeptPart {
  readonly part: number;
  readonly file: number;
  readonly spec: string;
  /** The run that read it. */
  readonly run: Attempt;
  /** Of the event file and its chunk table. */
  readonly names: EventFileNames;
}

type EventFileNames = readonly [string, string];

export interface Rest {
  readonly kept: readonly KeptPart[];
  /** Parts that have to be read, with numbers for their files. */
  readonly missing: Attempt['reads'];
  /** No file has this number or a greater one. */
  readonly nextFile: number;
}

/** What of an attempt is there, and what is not. A file counts when it and its chunk table are there. */
export function planRest(runs: readonly [Attempt, ...Attempt[]], names: ReadonlySet<string>): Rest {
  let nextFile = Math.max(0, ...runs.flatMap(({ reads }) => reads.map(({ file }) => file))) + 1;
  const finished = new Map<number, KeptPart>();
  const found = findEventFiles(names);
  for (const run of runs) {
    if (!canBeTakenUp(run.cursor)) continue;
    for (const range of run.reads) {
      const [own] = (found.get(range.file) ?? []).filter(([name]) => isOfRun(name, run));
      if (own !== undefined) finished.set(range.part, { ...range, run, names: own });
    }
  }
  const missing = runs[0].reads
    .filter(({ part }) => !finished.has(part))
    .map(({ part, spec }) => ({ part, spec, file: nextFile++ }));
  return { kept: [...finished.values()], missing, nextFile };
}

/** Event files that have their chunk table, by their numbers. One may be there several times, by several who wrote it: each is whole. */
function findEventFiles(names: ReadonlySet<string>): Map<number, EventFileNames[]> {
  const found = new Map<number, EventFileNames[]>();
  for (const name of [...names].sort()) {
    const parsed = parseEventFileName(name);
    const index = indexFileName(name);
    if (parsed === null || !names.has(index)) continue;
    const others = found.get(parsed.number) ?? [];
    found.set(parsed.number, [...others, [name, index]]);
  }
  return found;
}

function isOfRun(name: string, { format, compression }: Attempt): boolean {
  const wanted = eventFileName(1, format, { compression, isSealed: false });
  return parseEventFileName(name)?.rest === parseEventFileName(wanted)?.rest;
}
