import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ServerState, StepFacts } from '../../core/disaster.ts';
import type { Rejoiner } from '../../core/disaster-ports.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import { parseServerAddress, type ServerAddress } from './address.ts';
import { withConnection } from './connection.ts';
import { type Upstream, withUpstream } from './conninfo.ts';
import { unfence } from './fence.ts';
import { probe } from './probe.ts';
import {
  cloneScript,
  configureScript,
  type Found,
  lookScript,
  type OldPrimary,
  readFound,
  rewindScript,
  startScript,
  stopScript,
  tidyScript,
} from './rejoin-scripts.ts';
import { type Place, runScript, type Script } from './shell.ts';

export interface RejoinOptions {
  /** Of the old primary, with the role that set its fence: it is asked whether it streams. May hold a password. */
  readonly address: string;
  /** Folder of its data, on its host. */
  readonly data: string;
  /** Folder of PostgreSQL's programs there: pg_ctl, pg_controldata, pg_rewind, psql; for a copy, pg_basebackup. */
  readonly bin: string;
  /** In front of `sh`: `['ssh', 'host']`, `['sudo', '-u', 'postgres']`. Left out, this host, and the owner of the data. */
  readonly run?: readonly string[];
  /**
   * Connection string of libpq, in either form, by which the old primary's host reaches the new one; host and port are replaced by those
   * of the new primary. Its role may replicate and rewind. May hold a password, which then stands in primary_conninfo as well.
   */
  readonly source: string;
  /** For the programs, such as PGPASSFILE. */
  readonly env?: Readonly<Record<string, string>>;
  /** Copy the new primary where the old one cannot be rewound. What it had is kept beside it. */
  readonly reclone?: boolean;
  /** postgresql.conf, where that is not in the folder of the data. */
  readonly config?: string;
  /** Commands of the shell in place of pg_ctl. */
  readonly start?: string;
  readonly stop?: string;
}

const LOOK_MS = 100;
const PROBE_MS = 3000;
/** Who was heard by its receiver within this time is connected to it. */
const FRESH_MS = 10_000;

/**
 * Makes a standby of an old primary, dead or alive, and takes away its fence once it is one. Each step looks first whether it is done, so
 * after a death anywhere all of it is run again.
 */
export function postgresRejoiner(options: RejoinOptions): Rejoiner {
  const address = parseServerAddress(options.address);
  const where = options.run === undefined ? '' : ` by ${options.run.join(' ')}`;
  return {
    describe: `rewinds ${options.data}${where}${options.reclone === true ? ', or copies the new primary there' : ''}`,
    rejoin: (primary, { signal }) => rejoin(options, address, primary, signal),
  };
}

async function rejoin(
  options: RejoinOptions,
  address: ServerAddress,
  primary: Upstream,
  signal: AbortSignal,
): Promise<StepFacts> {
  const source = withUpstream(options.source, primary);
  const old: OldPrimary = {
    ...{ data: options.data, bin: options.bin, source, env: options.env ?? {} },
    rejoins: null,
    ...{ config: options.config ?? null, start: options.start ?? null, stop: options.stop ?? null },
  };
  const place = await findPlace(options);
  const run = (script: Script): Promise<string> => runScript(place, script, signal);
  if (isStandbyOf(await look(address, signal), primary)) {
    const unfenced = await unfence(address, signal);
    await run(tidyScript(old));
    return { changed: false, way: 'none', unfenced };
  }
  const found = readFound(await run(lookScript(old)));
  const known = { ...old, rejoins: `${found.source.systemIdentifier}-${found.source.timeline}` };
  const way = await makeAlike(known, found, options, address.shown, run);
  await run(configureScript(known, source));
  await run(startScript(known));
  await untilStreaming(address, primary, signal);
  const unfenced = await unfence(address, signal);
  await run(tidyScript(known));
  return { changed: true, way, unfenced };
}

async function makeAlike(
  old: OldPrimary,
  found: Found,
  options: RejoinOptions,
  shown: string,
  run: (script: Script) => Promise<string>,
): Promise<'rewound' | 'copied' | 'resumed'> {
  const way = decideWay(found, options, shown);
  if (way === 'done') return 'resumed';
  await run(stopScript(old));
  if (way === 'rewind') {
    try {
      await run(rewindScript(old));
      return 'rewound';
    } catch (error) {
      if (options.reclone !== true) throw orCopied(error);
    }
  }
  await run(cloneScript(old));
  return 'copied';
}

function orCopied(error: unknown): unknown {
  if (!isBackupError(error, 'action_failed')) return error;
  return new BackupError('action_failed', error.message, {
    hint: 'run it again; where WAL is missing that rewinding needs, allow the new primary to be copied (reclone)',
    cause: error,
  });
}

/** The server's programs refuse root; on this host they run as whoever owns the data. */
async function findPlace({ run, data }: RejoinOptions): Promise<Place> {
  if (run !== undefined && run.length > 0) return { run, uid: null, gid: null };
  if (process.getuid?.() !== 0) return { run: [], uid: null, gid: null };
  // In the middle of a copy the folder may be away for a moment.
  const { uid, gid } = await stat(data).catch(() => stat(dirname(data)));
  return { run: [], uid, gid };
}

/** How the old primary is made to be like the new one; `done` where a former attempt did that. */
function decideWay(
  found: Found,
  { reclone = false }: RejoinOptions,
  shown: string,
): 'rewind' | 'clone' | 'done' {
  const { source } = found;
  if (source.isStandby) {
    throw refused(`the server that ${shown} shall follow is no primary`, 'promote it first');
  }
  const isSame = found.systemIdentifier === source.systemIdentifier;
  const isArrived = isSame && found.timeline === source.timeline;
  // Both programs make it a standby with the last that they do, and died before that was noted.
  if (found.isDone || (found.isBegun && isArrived && found.isStandby)) return 'done';
  const isOld = found.timeline === null || found.timeline < source.timeline;
  if (isSame && !isOld && !(found.isBegun && isArrived)) {
    throw refused(
      `the data of ${shown} is on timeline ${found.timeline}, the new primary on ${source.timeline}: it is no old primary`,
      'see whether data, address and host are those of the old primary, and not of the new one',
    );
  }
  if (isSame && found.canBeRewound) return 'rewind';
  if (reclone) return 'clone';
  throw refused(
    isSame
      ? `${shown} cannot be rewound: it has neither checksums nor wal_log_hints`
      : `${shown} cannot be rewound: it is not the same system as the new primary`,
    'allow it to be copied anew (reclone); what it has is kept beside it',
  );
}

function refused(message: string, hint: string): BackupError {
  return new BackupError('action_failed', message, { hint });
}

/** Null where it does not answer. */
async function look(address: ServerAddress, signal: AbortSignal): Promise<ServerState | null> {
  try {
    return await withConnection(address, AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]), probe);
  } catch (error) {
    if (isBackupError(error, 'store_unreachable', 'store_refused') && !signal.aborted) return null;
    throw error;
  }
}

function isStandbyOf(state: ServerState | null, { host, port }: Upstream): boolean {
  if (state === null || state.role !== 'standby' || state.upstream === null) return false;
  const { upstream } = state;
  return upstream.host === host && upstream.port === port && upstream.heardAgoMs < FRESH_MS;
}

async function untilStreaming(address: ServerAddress, primary: Upstream, signal: AbortSignal): Promise<void> {
  while (!isStandbyOf(await look(address, signal).catch(() => null), primary)) {
    await pause(LOOK_MS, signal);
    if (!signal.aborted) continue;
    throw refused(
      `${address.shown} was started as a standby, but does not stream from ${primary.host}:${primary.port}`,
      'its log says why: no way in there (pg_hba.conf, password), or WAL that the new primary has no more',
    );
  }
}
