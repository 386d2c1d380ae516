import type { PgBoss } from 'pg-boss';
import { awaitedLater } from '../../core/concurrency.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { KnownWorker, OfferedJob, QueueCounts, WorkQueue } from '../../core/work-queue.ts';
import { claimingInTurn } from './claims.ts';
import { openQueueDatabase, type QueueDatabase } from './database.ts';
import { newsChannel, readResult, writeResult } from './results.ts';
import { readStandings } from './standings.ts';
import { checkKey, makeTables } from './tables.ts';
import { takeJobs } from './take.ts';

export interface PostgresQueueOptions {
  /** Coordinators and workers that do not speak the same one do not see each other's jobs. */
  readonly protocol: number;
  /** A coordinator that was not heard for so long is taken for dead. */
  readonly silenceMs: number;
  /** Of a worker, for people who look at the queue. Who has none only offers jobs. */
  readonly name?: string;
}

/** A queue that is open. */
export interface Opened {
  readonly boss: PgBoss;
  readonly database: QueueDatabase;
  readonly names: QueueNames;
}

interface QueueNames {
  readonly jobs: string;
  readonly dead: string;
}

/** What a job is allowed; the retry has back-off, so that a store or vault that is away for a minute is no failure. */
const JOB_RULES = {
  retryLimit: 6,
  retryDelay: 1,
  retryBackoff: true,
  retryDelayMax: 60,
  // A worker that is not heard for this long is taken for dead.
  heartbeatSeconds: 15,
  expireInSeconds: 12 * 3600,
  retentionSeconds: 86_400,
  deleteAfterSeconds: 7 * 86_400,
} as const;

/** To open one takes longer than a few short statements one after the other. */
const CONNECTIONS = { worker: 4, coordinator: 2 };

/** Lost workers are looked for so often by everybody who has the queue open; the database lets one of them do it. */
const SUPERVISE_SECONDS = 5;

/**
 * A queue in a database of PostgreSQL, by its address: `postgres://user@host/database?schema=eventcore_queue`. Nothing is connected
 * before `open`. Throws `usage` for what is no address, and `queue_refused` where pg-boss is not installed.
 */
export function openPostgresQueue(address: string, options: PostgresQueueOptions): WorkQueue {
  const isWorker = options.name !== undefined;
  const database = openQueueDatabase(address, isWorker ? CONNECTIONS.worker : CONNECTIONS.coordinator);
  const { schema } = database;
  const names = { jobs: `jobs-${options.protocol}`, dead: `dead-${options.protocol}` };
  let opening: Promise<Opened> | null = null;
  const opened = (): Promise<Opened> => {
    if (opening === null) throw new BackupError('internal', 'the queue is not open');
    return opening;
  };
  const run = (text: string, values: unknown[]) => database.executeSql(text, values);
  return {
    address: database.shown,
    open: async (keyCheck) => {
      // While pg-boss is loaded, which takes as long. Of a queue that is yet to be made this says nothing.
      const checking = awaitedLater(checkKey(database, keyCheck));
      opening = start(database, names, options.name);
      await opening;
      if (!(await checking)) await makeTables(database, keyCheck);
    },
    beginRun: async ({ id, what, holder }) => {
      await run(`INSERT INTO ${schema}.run (id, what, holder) VALUES ($1, $2, $3)`, [id, what, holder]);
    },
    beat: async (runId) => {
      await run(`UPDATE ${schema}.run SET beat_on = now() WHERE id = $1`, [runId]);
    },
    isAlive: (runId) => isAlive(database, runId, options.silenceMs),
    endRun: async (runId, jobIds) => endRun(await opened(), runId, jobIds),
    offer: async (job) => offer(await opened(), job),
    cancel: async (jobIds) => {
      await (await opened()).boss.cancel(names.jobs, [...jobIds]);
    },
    look: (jobIds) => readStandings(database, names.jobs, jobIds),
    readResult: (place) => readResult(database, place),
    listen: async (runId, tell) => {
      const ear = await database.listen(newsChannel(schema), (payload) => payload === runId && tell(), tell);
      return () => ear.close();
    },
    take: async (given, work) => takeJobs(await opened(), given, work),
    noteProgress: (job, worker, { events, bytes }) =>
      noteProgress(run, schema, [job.id, job.runId, job.attempt, worker, events, bytes]),
    writeResult: (job, bytes) => writeResult(database, job, bytes),
    counts: () => readCounts(database, names, options.silenceMs),
    workers: async () => readWorkers(await opened()),
    close: async () => {
      const open = await opening?.catch(() => null);
      await open?.boss.stop({ graceful: false, close: false }).catch(() => undefined);
      await database.close();
    },
  };
}

async function start(database: QueueDatabase, names: QueueNames, name: string | undefined): Promise<Opened> {
  const { PgBoss } = await loadBoss();
  const boss = new PgBoss({
    ...{ db: claimingInTurn(database), schema: database.schema },
    // Who only offers jobs hears of no new ones, and is not asked for.
    ...{ useListenNotify: name !== undefined, registerInstance: name !== undefined },
    // No timetables here: the daemon has its own.
    schedule: false,
    ...{ superviseIntervalSeconds: SUPERVISE_SECONDS, monitorIntervalSeconds: SUPERVISE_SECONDS },
    instanceHeartbeatSeconds: 5,
    ...(name === undefined ? {} : { instanceName: name }),
  });
  // What fails while nobody waits for it is tried again by pg-boss itself.
  boss.on('error', () => undefined);
  try {
    await boss.start();
    if ((await boss.getQueue(names.jobs)) === null) await createQueues(boss, names);
  } catch (error) {
    await boss.stop({ graceful: false, close: false }).catch(() => undefined);
    throw isBackupError(error) ? error : notStarted(database, error);
  }
  return { boss, database, names };
}

async function createQueues(boss: PgBoss, { jobs, dead }: QueueNames): Promise<void> {
  await boss.createQueue(dead, { retentionSeconds: JOB_RULES.deleteAfterSeconds });
  await boss.createQueue(jobs, { ...JOB_RULES, deadLetter: dead, notify: true });
}

async function loadBoss(): Promise<typeof import('pg-boss')> {
  try {
    return await import('pg-boss');
  } catch (error) {
    throw new BackupError('queue_refused', 'pg-boss is not installed, which queues need', {
      hint: 'npm install pg-boss@12',
      cause: error,
    });
  }
}

function notStarted({ shown }: QueueDatabase, error: unknown): BackupError {
  const message = error instanceof Error ? error.message : String(error);
  return new BackupError('queue_refused', `${shown}: ${message}`, {
    hint: 'the queue needs PostgreSQL 13 or newer, and a role that owns its schema',
    cause: error,
  });
}

/** A server that was away heard nobody: what it did not hear then says nothing. */
async function isAlive(database: QueueDatabase, runId: string, silenceMs: number): Promise<boolean> {
  const { rows } = await database.executeSql(
    `SELECT now() - greatest(beat_on, pg_postmaster_start_time()) < $2 * interval '1 millisecond' AS alive
       FROM ${database.schema}.run WHERE id = $1`,
    [runId, silenceMs],
  );
  return rows[0]?.alive === true;
}

/** Ids in one statement. */
const IDS_AT_ONCE = 5000;

async function endRun({ boss, database, names }: Opened, runId: string, jobIds: readonly string[]) {
  await database.executeSql(`DELETE FROM ${database.schema}.run WHERE id = $1`, [runId]);
  for (let from = 0; from < jobIds.length; from += IDS_AT_ONCE) {
    await boss.deleteJob(names.jobs, jobIds.slice(from, from + IDS_AT_ONCE));
  }
}

async function offer({ boss, names }: Opened, job: OfferedJob): Promise<void> {
  const { id, runId, kind, payload, group, priority } = job;
  const data = { runId, kind, sealed: Buffer.from(payload).toString('base64') };
  await boss.send(names.jobs, data, { id, priority, group: { id: group.id, tier: group.tier } });
}

async function noteProgress(
  run: (text: string, values: unknown[]) => Promise<unknown>,
  schema: string,
  values: unknown[],
): Promise<void> {
  await run(
    `INSERT INTO ${schema}.progress (job, run, attempt, worker, events, bytes) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (job) DO UPDATE SET attempt = excluded.attempt, worker = excluded.worker,
            events = excluded.events, bytes = excluded.bytes
      WHERE progress.attempt <= excluded.attempt`,
    values,
  );
}

async function readCounts(
  { schema, executeSql }: QueueDatabase,
  { jobs, dead }: QueueNames,
  silenceMs: number,
): Promise<QueueCounts> {
  const { rows } = await executeSql(
    `SELECT r.id, r.what, r.holder, coalesce(j.waiting, 0)::int AS waiting, coalesce(j.active, 0)::int AS active
       FROM ${schema}.run r
       LEFT JOIN (SELECT data->>'runId' AS run, count(*) FILTER (WHERE state < 'active') AS waiting,
                         count(*) FILTER (WHERE state = 'active') AS active
                    FROM ${schema}.job WHERE name = $1 AND state <= 'active' GROUP BY 1) j ON j.run = r.id::text
      WHERE now() - r.beat_on < $2 * interval '1 millisecond' ORDER BY r.beat_on DESC`,
    [jobs, silenceMs],
  );
  const all = await executeSql(
    `SELECT (count(*) FILTER (WHERE name = $1 AND state < 'active'))::int AS waiting,
            (count(*) FILTER (WHERE name = $1 AND state = 'active'))::int AS active,
            (count(*) FILTER (WHERE name = $2 AND state < 'active'))::int AS dead
       FROM ${schema}.job WHERE name = ANY (ARRAY[$1, $2]) AND state <= 'active'`,
    [jobs, dead],
  );
  return {
    ...(all.rows[0] as unknown as Omit<QueueCounts, 'runs'>),
    runs: rows as unknown as QueueCounts['runs'],
  };
}

async function readWorkers({ boss, names }: Opened): Promise<KnownWorker[]> {
  const instances = await boss.getInstances();
  return instances
    .toSorted((a, b) => ((a.name ?? '') < (b.name ?? '') ? -1 : 1))
    .flatMap(({ name, workers, live, heartbeatOn, stoppedOn }) => {
      const own = workers.filter(({ queue }) => queue === names.jobs);
      // Coordinators bear no name. One that stopped in order is nobody's concern.
      if (name === null || stoppedOn !== null) return [];
      return {
        name,
        // Said with its second beat.
        lanes: own.length === 0 ? null : own.reduce((sum, { localConcurrency }) => sum + localConcurrency, 0),
        active: own.reduce((sum, { active }) => sum + active, 0),
        isAlive: live,
        seenAtMs: heartbeatOn.getTime(),
      };
    });
}
