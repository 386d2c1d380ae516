import { BackupError, isBackupError } from '../../core/errors.ts';
import type { ResultPlace, TakenJob } from '../../core/work-queue.ts';
import type { QueueDatabase } from './database.ts';

/** A result is written and read in parts, so that memory holds one of them twice at most. */
const PART_BYTES = 1 << 20;

/** Coordinators hear there of their jobs. */
export function newsChannel(schema: string): string {
  return `${schema}_news`;
}

/** An attempt that was given up may write too: which one counts, the job says. */
export async function writeResult(
  { schema, executeSql }: QueueDatabase,
  { id, runId, attempt }: TakenJob,
  bytes: Uint8Array,
): Promise<ResultPlace> {
  const parts = Math.max(1, Math.ceil(bytes.length / PART_BYTES));
  for (let part = 0; part < parts; part += 1) {
    const piece = Buffer.from(bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES));
    await executeSql(
      `INSERT INTO ${schema}.result (job, attempt, part, run, bytes) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (job, attempt, part) DO UPDATE SET bytes = excluded.bytes`,
      [id, attempt, part, runId, piece],
    );
  }
  return { jobId: id, attempt, parts, sizeBytes: bytes.length, events: 0, bytes: 0 };
}

export async function readResult(
  { schema, executeSql }: QueueDatabase,
  { jobId, attempt, parts, sizeBytes }: ResultPlace,
): Promise<Uint8Array> {
  const whole = Buffer.alloc(sizeBytes);
  let at = 0;
  for (let part = 0; part < parts; part += 1) {
    const { rows } = await executeSql(
      `SELECT bytes FROM ${schema}.result WHERE job = $1 AND attempt = $2 AND part = $3`,
      [jobId, attempt, part],
    );
    const bytes = rows[0]?.bytes as Buffer | undefined;
    if (bytes === undefined || at + bytes.length > sizeBytes) break;
    at += bytes.copy(whole, at);
  }
  if (at === sizeBytes) return whole;
  throw new BackupError('queue_refused', `the result of job ${jobId} is not there any more`, {
    hint: 'somebody emptied the queue: start the command again',
  });
}

/** Only hastens what is looked for anyway. */
export async function tellNews({ schema, executeSql }: QueueDatabase, runId: string): Promise<void> {
  await executeSql(`SELECT pg_notify($1, $2)`, [newsChannel(schema), runId]).catch((error) => {
    if (!isBackupError(error)) throw error;
  });
}
