import type pg from 'pg';
import type { StepFacts } from '../../core/disaster.ts';
import { BackupError, isBackupError, throwIfAborted } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import type { ServerAddress } from './address.ts';
import { askRow, withConnection } from './connection.ts';
import { listHandshakes } from './handshakes.ts';
import { fencedHba, joinFence, leaveFence, readFence, unfencedHba } from './hba-fence.ts';
import { findHbaError, findHbaFiles, type HbaFiles, readAdmin, readRules } from './hba-file.ts';
import { endNewcomers, endOthers, findBeyond, listNewcomers, listOthers, type Other } from './others.ts';
import { beQuiet } from './quiet.ts';
import { sqlState } from './server-error.ts';
import { readServerFile, writeServerFile } from './server-files.ts';
import { isFenceLoaded } from './trial.ts';

const LOOK_MS = 40;
/** So many looks in a row find nobody. */
const LOOKS = 5;
/** Who shares our role is let in by the fence: such a client must have had the time to come back. */
const LOOKS_AT_SHARED_ROLE = 40;

/** Who has not come in after that time is no connection of ours. */
const NEWCOMER_MS = 500;

/** How far it came, to say so where it ends early. */
interface Progress {
  isBegun: boolean;
  others: readonly Other[];
}

export async function fence(address: ServerAddress, mark: string, signal: AbortSignal): Promise<StepFacts> {
  const progress: Progress = { isBegun: false, others: [] };
  try {
    return await withConnection(address, signal, (client) => raise(client, address, mark, signal, progress));
  } catch (error) {
    throw whyNotFenced(error, address, progress);
  }
}

async function raise(
  client: pg.Client,
  address: ServerAddress,
  mark: string,
  signal: AbortSignal,
  progress: Progress,
): Promise<StepFacts> {
  await beQuiet(client);
  await lockAnyway(client, signal);
  const files = await findHbaFiles(client);
  progress.isBegun = true;
  const isChanged = await putUp(client, files, mark);
  await client.query('SELECT pg_reload_conf()');
  await untilLoaded(client, address, mark, signal);
  await findWayBack(client, address, files, signal);
  await client.query(`SELECT pg_advisory_unlock(${LOCK})`);
  const { ended, shared, isSure } = await emptyOut(client, signal, progress);
  await requireLoaded(address, mark, signal);
  const { prepared, workers } = await findBeyond(client);
  return {
    changed: isChanged,
    ended,
    sawHandshakes: isSure,
    sharedRole: shared,
    preparedTransactions: prepared,
    otherWorkers: workers,
  };
}

/** Two who write the same file at once would mix their texts. Held for some moments only. */
async function lock(client: pg.Client): Promise<void> {
  await client.query(`SELECT pg_advisory_lock(${LOCK})`);
}

const LOCK = "hashtextextended('eventcore fence', 0)";
/** Much more than anybody holds it whose process runs. */
const LOCK_MS = 1000;

/**
 * A process that was halted, or is cut off, while it sets a fence or takes one back must not keep others from fencing: it loses its session.
 * What it was writing is found out like what one that died left.
 */
async function lockAnyway(client: pg.Client, signal: AbortSignal): Promise<void> {
  for (const beganAtMs = performance.now(); ; ) {
    const { is_ours: isOurs } = await askRow<{ is_ours: boolean }>(
      client,
      `SELECT pg_try_advisory_lock(${LOCK}) AS is_ours`,
    );
    if (isOurs) return;
    if (performance.now() - beganAtMs > LOCK_MS) await client.query(END_LOCKER);
    await pause(LOOK_MS, signal);
    throwIfAborted(signal);
  }
}

const END_LOCKER = `
  SELECT pg_terminate_backend(pid) FROM pg_locks
   WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid <> pg_backend_pid()
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
     AND (classid::bigint << 32 | objid::bigint) = ${LOCK}`;

/** Nobody took it back while others were put out. */
async function requireLoaded(address: ServerAddress, mark: string, signal: AbortSignal): Promise<void> {
  if ((await isFenceLoaded(address, mark, signal)) !== 'no') return;
  throw new BackupError('fence_failed', `somebody took the fence of ${address.shown} back just now`, {
    hint: 'find out who, and fence it again',
  });
}

/** Makes the file a fenced one, whatever state it was left in; false where it is already. */
async function putUp(client: pg.Client, files: HbaFiles, mark: string): Promise<boolean> {
  const current = await readServerFile(client, files.hba);
  const standing = readFence(current);
  if (standing?.marks.includes(mark) === true) return false;
  if (standing !== null) {
    await writeFenced(client, files, current, joinFence(current, mark));
    return true;
  }
  const original = await findOriginal(client, files, current);
  await keep(client, files, original);
  // What died before may have left another text there; its rules are not what counts.
  if (original !== current) await writeServerFile(client, files.hba, original);
  const rules = await readRules(client, files);
  await writeFenced(
    client,
    files,
    original,
    fencedHba(original, rules, await readAdmin(client, rules), mark),
  );
  return true;
}

async function writeFenced(client: pg.Client, files: HbaFiles, former: string, text: string): Promise<void> {
  await writeServerFile(client, files.hba, text);
  const error = await findHbaError(client);
  if (error === null) return;
  await writeServerFile(client, files.hba, former);
  throw new BackupError('fence_failed', `the server would not load a fenced pg_hba.conf: ${error}`, {
    hint: 'the file is as it was: look at its rules for this role, or fence it by another way',
  });
}

async function findOriginal(client: pg.Client, files: HbaFiles, current: string): Promise<string> {
  const original = unfencedHba(current, await readServerFile(client, files.kept));
  if (original !== null) return original;
  throw new BackupError('fence_failed', `${files.hba} is cut off, and there is no copy of what it was`, {
    hint: 'put pg_hba.conf in order by hand',
  });
}

async function keep(client: pg.Client, files: HbaFiles, original: string): Promise<void> {
  const kept = await readServerFile(client, files.kept);
  if (kept !== original) await writeServerFile(client, files.kept, original);
}

async function untilLoaded(
  client: pg.Client,
  address: ServerAddress,
  mark: string,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const loaded = await isFenceLoaded(address, mark, signal);
    if (loaded === 'yes') return;
    // Nobody gets in, not even to be turned away.
    if (loaded === 'full') await endOthers(client);
    await pause(LOOK_MS, signal);
  }
}

/** That this role gets in under the fence, before anybody is put out: else nobody could ever take it back. */
async function findWayBack(
  client: pg.Client,
  address: ServerAddress,
  files: HbaFiles,
  signal: AbortSignal,
): Promise<void> {
  try {
    await withConnection(address, signal, async () => undefined);
  } catch (error) {
    if (!isBackupError(error, 'store_refused') || sqlState(error) === '53300') return;
    await takeDown(client, files);
    throw new BackupError(
      'fence_failed',
      `the fence would keep out the role that sets it: ${error.message}`,
      {
        hint: 'the rules are as they were: give this role a rule in pg_hba.conf that the server has on file, not only in memory',
        cause: error,
      },
    );
  }
}

interface EmptiedOut {
  readonly ended: number;
  /** Others who use our role. */
  readonly shared: number;
  /** Whether it is known that nobody came in by the rules from before. */
  readonly isSure: boolean;
}

/**
 * Ends sessions until nobody is found for some time. Who was on the way in when the rules changed comes in by those from before, and is
 * waited for; who knocks later is turned away, however often.
 */
async function emptyOut(client: pg.Client, signal: AbortSignal, progress: Progress): Promise<EmptiedOut> {
  const ended = new Set<number>();
  const shared = new Set<number>();
  const silent = await listHandshakes(client);
  let arriving: readonly number[] = [...(silent ?? []), ...(await listNewcomers(client))];
  const patientUntilMs = performance.now() + NEWCOMER_MS;
  for (let quiet = 0; quiet < (shared.size === 0 ? LOOKS : LOOKS_AT_SHARED_ROLE); quiet += 1) {
    if (arriving.length > 0) arriving = await stillArriving(client, arriving);
    if (performance.now() > patientUntilMs) await endNewcomers(client, arriving);
    const others = await endOthers(client);
    if (others.length > 0) progress.others = others;
    for (const { pid } of others) ended.add(pid);
    for (const { pid } of others.filter(({ hasOurRole }) => hasOurRole)) shared.add(pid);
    if (others.some(({ isBeyondUs }) => isBeyondUs)) throw stillIn(others);
    if (others.length > 0 || arriving.length > 0) quiet = -1;
    await pause(LOOK_MS, signal);
  }
  return { ended: ended.size, shared: shared.size, isSure: silent !== null };
}

/** Whoever goes on goes from the first list to the second and then to the sessions: so they are read in this order. */
async function stillArriving(client: pg.Client, early: readonly number[]): Promise<readonly number[]> {
  const silent = await listHandshakes(client);
  const newcomers = await listNewcomers(client);
  return early.filter((pid) => silent?.includes(pid) === true || newcomers.includes(pid));
}

/** Whether the rules with this mark are on file and loaded, and nobody else is in. */
export function isFenced(address: ServerAddress, mark: string, signal: AbortSignal): Promise<boolean> {
  return withConnection(address, signal, async (client) => {
    const { hba } = await findHbaFiles(client);
    const standing = readFence(await readServerFile(client, hba));
    if (standing?.marks.includes(mark) !== true) return false;
    if ((await isFenceLoaded(address, mark, signal)) !== 'yes') return false;
    return isQuiet(client, signal);
  });
}

/** Whether nobody else is found for some time: who was just put out is perhaps still seen, and perhaps comes back. */
async function isQuiet(client: pg.Client, signal: AbortSignal): Promise<boolean> {
  let quiet = 0;
  for (let look = 0; look < 3 * LOOKS && quiet < LOOKS; look += 1) {
    if (look > 0) await pause(LOOK_MS, signal);
    quiet = (await listOthers(client)).length === 0 ? quiet + 1 : 0;
  }
  return quiet === LOOKS;
}

/** Gives whether there was such a fence. Without a mark, all go; with one, the fence stays for those who set it too. */
export function unfence(address: ServerAddress, signal: AbortSignal, mark?: string): Promise<boolean> {
  return withConnection(address, signal, async (client) => {
    await beQuiet(client);
    await lock(client);
    const files = await findHbaFiles(client);
    const current = await readServerFile(client, files.hba);
    const standing = readFence(current);
    if (standing !== null && mark !== undefined) {
      if (!standing.marks.includes(mark)) return false;
      const shared = leaveFence(current, mark);
      if (shared !== null) {
        await writeFenced(client, files, current, shared);
        await client.query('SELECT pg_reload_conf()');
        await untilGone(address, mark, signal);
        return true;
      }
    }
    await takeDown(client, files);
    const error = await findHbaError(client);
    if (error !== null) {
      throw new BackupError(
        'store_refused',
        `pg_hba.conf is as it was, but the server does not load it: ${error}`,
        {
          hint: 'correct that line, then SELECT pg_reload_conf(): until then the fence stands',
        },
      );
    }
    for (const mark of standing?.marks ?? []) await untilGone(address, mark, signal);
    return standing !== null;
  });
}

/** Puts the text back that was there before. The copy goes last: while there is one, the text can be found again. */
async function takeDown(client: pg.Client, files: HbaFiles): Promise<void> {
  const current = await readServerFile(client, files.hba);
  const original = await findOriginal(client, files, current);
  if (original !== current) {
    await keep(client, files, original);
    await writeServerFile(client, files.hba, original);
  }
  await client.query('SELECT pg_reload_conf()');
  if ((await readServerFile(client, files.kept)) !== '') await writeServerFile(client, files.kept, '');
}

async function untilGone(address: ServerAddress, mark: string, signal: AbortSignal): Promise<void> {
  while ((await isFenceLoaded(address, mark, signal)) === 'yes') await pause(LOOK_MS, signal);
}

function whyNotFenced(error: unknown, address: ServerAddress, { isBegun, others }: Progress): BackupError {
  if (!isBackupError(error)) throw error;
  if (error.code === 'fence_failed' || error.code === 'interrupted') return error;
  if (others.length > 0 && (error.facts.timedOut === true || error.code === 'action_failed')) {
    return stillIn(others, error);
  }
  const state = sqlState(error);
  if (state === '42501') {
    return new BackupError(
      'fence_failed',
      `${address.shown}: this role may not set a fence: ${error.message}`,
      {
        hint: 'use a superuser, or grant what docs/disaster-recovery.md lists',
        facts: { sqlState: state },
        cause: error,
      },
    );
  }
  if (!isBegun) return error;
  return new BackupError('fence_failed', `the fence is begun, but does not hold for sure: ${error.message}`, {
    hint: 'run it again: it goes on from there',
    facts: error.facts,
    cause: error,
  });
}

function stillIn(others: readonly Other[], cause?: unknown): BackupError {
  const names = others.slice(0, 3).map(({ text }) => text);
  const more = others.length > 3 ? ` and ${others.length - 3} more` : '';
  const hint = others.some(({ isBeyondUs }) => isBeyondUs)
    ? 'only a superuser may end the session of one: use a superuser'
    : others.some(({ hasOurRole }) => hasOurRole)
      ? 'give the recovery a role that nobody else uses: the fence lets this one in'
      : 'end these sessions, or fence the server by another way';
  return new BackupError('fence_failed', `still in: ${names.join(', ')}${more}`, { hint, cause });
}
