import { availableParallelism, hostname } from 'node:os';
import type { Command } from 'commander';
import { isBackupError } from '../../core/errors.ts';
import { formatDuration } from '../../core/units.ts';
import type { TakenJob } from '../../core/work-queue.ts';
import { makeRateBudget, type RateBudget } from '../../vaults/wrappers/rate.ts';
import { doJob } from '../../workers/do-job.ts';
import { PROTOCOL, SILENCE_MS } from '../../workers/protocol.ts';
import { queueKey } from '../../workers/sealed.ts';
import { rateLimitOption, wholeNumber } from '../arguments.ts';
import type { Settings } from '../config/config.ts';
import type { CommandContext, Start } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import type { ServiceLog } from '../log.ts';
import { runQueuedJob } from '../queue/queued-job.ts';
import { type ChosenQueue, queueKeyOption, requireQueue } from '../queue/settings.ts';
import { keepThreadsFor } from '../threads/threads.ts';
import { loadQueuesRoom } from '../wire.ts';

interface WorkerFlags {
  readonly queue?: string;
  readonly queueKey?: string;
  readonly concurrency?: number;
  readonly perStore?: number;
  readonly perVault?: number;
  readonly rateLimit?: number;
  readonly name?: string;
}

const MOST = 1000;
const MOST_DEFAULT_CONCURRENCY = 4;
/** Orchestrators give half a minute before they kill. */
const GRACE_MS = 20_000;
/** The next job finds its thread with all that it needs. */
const KEEP_THREADS_MS = 60_000;

export function addWorkerCommand(program: Command, start: Start): void {
  program
    .command('worker')
    .description('take jobs from a queue: parts of backups, verifications and restores of other machines')
    .option('--queue <address>', 'where the jobs are: postgres://…/database (default: the configuration)')
    .addOption(queueKeyOption())
    .option('--concurrency <n>', 'jobs at once (default: processors, at most 4)', wholeNumber(1, MOST))
    .option(
      '--per-store <n>',
      'jobs that read or load one store at once, over all workers (default: no limit)',
      wholeNumber(1, MOST),
    )
    .option(
      '--per-vault <n>',
      'jobs that check or copy in one vault at once, over all workers (default: no limit)',
      wholeNumber(1, MOST),
    )
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse)
    .option('--name <name>', 'by which people know this worker (default: host and process)')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore worker --queue postgres://queue_login@db.example/jobs --queue-key file:queue.key',
          'eventcore worker --concurrency 8 --per-store 16',
          'EVENTCORE_QUEUE=postgres://queue_login@db.example/jobs eventcore worker --queue-key env:QUEUE_KEY',
        ],
        [0, 1, 2, 8, 11],
      ),
    )
    .action((flags: WorkerFlags) => start((context) => work(context, flags), 'its jobs are done by others'));
}

interface Worker {
  readonly name: string;
  readonly log: ServiceLog;
  /** Of all its jobs together. */
  readonly budget: RateBudget | null;
}

/** Takes jobs until it is told to stop. */
async function work(context: CommandContext, flags: WorkerFlags): Promise<number> {
  const settings = await context.settings();
  const chosen = await requireQueue(context, flags, settings);
  const rate = flags.rateLimit ?? settings.rateLimit;
  const worker: Worker = {
    name: flags.name ?? `${hostname()} ${process.pid}`,
    log: await context.serviceLog(),
    budget: rate === null ? null : makeRateBudget(rate),
  };
  return takeUntilStopped(context, chosen, worker, limitsOf(flags, settings));
}

function limitsOf(flags: WorkerFlags, { queue }: Settings) {
  return {
    lanes:
      flags.concurrency ?? queue.concurrency ?? Math.min(MOST_DEFAULT_CONCURRENCY, availableParallelism()),
    perStore: flags.perStore ?? queue.per_store ?? null,
    perVault: flags.perVault ?? queue.per_vault ?? null,
  };
}

async function takeUntilStopped(
  { signal }: CommandContext,
  { address, secret }: ChosenQueue,
  { name, log, budget }: Worker,
  limits: ReturnType<typeof limitsOf>,
): Promise<number> {
  const { openPostgresQueue } = await loadQueuesRoom();
  keepThreadsFor(KEEP_THREADS_MS);
  const key = queueKey(secret);
  const queue = openPostgresQueue(address, { protocol: PROTOCOL, silenceMs: SILENCE_MS, name });
  try {
    await queue.open(key.check);
    const begun = new Map<string, number>();
    const ports = {
      ...{ queue, key, worker: name },
      run: runQueuedJob(budget),
      onEnd: (job: TakenJob, how: 'done' | 'failed' | 'given up', error: unknown) => {
        const ms = performance.now() - (begun.get(job.id) ?? performance.now());
        begun.delete(job.id);
        sayEnd(log, job, how, { ms, error });
      },
    };
    const onTrouble = ({ message }: Error): void => log.warn(`queue: ${message}`);
    const taking = await queue.take({ ...limits, onTrouble }, (job) => {
      begun.set(job.id, performance.now());
      return doJob(ports, job);
    });
    log.info(`takes jobs from ${queue.address}, ${limits.lanes} at once`, { worker: name });
    await stopped(signal);
    log.info('stops: what is under way ends, or is left to others');
    await taking.stop(GRACE_MS);
    return 0;
  } finally {
    await queue.close();
  }
}

function sayEnd(
  log: ServiceLog,
  { kind, id, attempt }: TakenJob,
  how: 'done' | 'failed' | 'given up',
  { ms, error }: { readonly ms: number; readonly error: unknown },
): void {
  const facts = { job: id, kind, attempt, durationMs: Math.round(ms) };
  if (how === 'done') {
    log.info(`${kind} done in ${formatDuration(ms)}`, facts);
    return;
  }
  const reason = error instanceof Error ? error.message : String(error);
  const hint = isBackupError(error) && error.hint !== null ? { hint: error.hint } : {};
  log.warn(`${kind} ${how}${reason === '' ? '' : `: ${reason}`}`, { ...facts, ...hint });
}

function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
