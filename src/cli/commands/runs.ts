import { type Command, InvalidArgumentError } from 'commander';
import type { RecordedRun } from '../../core/job.ts';
import { formatDuration, formatInstant, printable } from '../../core/units.ts';
import { readAllRuns } from '../../daemon/recorded-runs.ts';
import { requireAddress } from '../config/config.ts';
import { type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import type { Paint } from '../output.ts';
import { renderTable } from '../render/table.ts';

const USUAL = 20;
const MOST = 200;

interface RunsFlags {
  readonly limit: number;
  readonly failed?: true;
}

export function addRunsCommand(program: Command, start: Start): void {
  program
    .command('runs')
    .description("show the newest runs of a daemon's jobs that are on record in the vault, of all daemons")
    .option('--limit <n>', `at most so many, up to ${MOST}`, readLimit, USUAL)
    .option('--failed', `only those of the newest ${MOST} that failed, or have not ended`)
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore runs',
          'eventcore runs --failed',
          `eventcore runs --json | jq '.runs[] | select(.job == "sync")'`,
        ],
        [0, 2, 6],
      ),
    )
    .action((flags: RunsFlags) => start((context) => showRuns(context, flags)));
}

function readLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MOST) return limit;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST}.`);
}

async function showRuns(context: CommandContext, { limit, failed }: RunsFlags): Promise<number> {
  const { output, signal } = context;
  const address = requireAddress(await context.settings(), 'vault');
  await withVault(address, { create: false }, async (vault) => {
    const newest = await readAllRuns(vault, failed ? MOST : limit, signal);
    const runs = failed
      ? newest.filter(({ end }) => end === null || end.state === 'failed').slice(0, limit)
      : newest;
    output.document({ vault: vault.address, runs: runs.map(runDocument) });
    const none = newest.length > 0 ? 'None failed.' : 'No run is on record: `eventcore serve` makes them.';
    output.answer(runs.length === 0 ? [none] : runLines(runs, output.paint));
  });
  return 0;
}

function runDocument({ begin, end }: RecordedRun): Record<string, unknown> {
  const { job, wantedAt, attempt, startedAt, daemon, reason, missed } = begin;
  return {
    ...{ job, wantedAt, attempt, startedAt, daemon, reason, missed },
    // It runs, or died without a word.
    state: end?.state ?? 'not_ended',
    ...{
      endedAt: end?.endedAt ?? null,
      durationMs: end?.durationMs ?? null,
      exitCode: end?.exitCode ?? null,
    },
    ...{ code: end?.code ?? null, facts: end?.facts ?? {} },
  };
}

function runLines(runs: readonly RecordedRun[], paint: Paint): string[] {
  const rows = runs.map(({ begin, end }) => [
    ...[begin.job, formatInstant(begin.startedAt).replace(' UTC', ''), stateText(end, paint)],
    ...[end === null ? '' : formatDuration(end.durationMs), printable(begin.daemon), printable(begin.reason)],
  ]);
  return renderTable(
    ['JOB', 'BEGAN (UTC)', 'ENDED', 'TOOK', 'DAEMON', 'WHY'].map((title) => ({ title })),
    rows,
  );
}

function stateText(end: RecordedRun['end'], paint: Paint): string {
  if (end === null) return paint('warning', 'not ended');
  if (end.state !== 'failed') return paint(end.state === 'succeeded' ? 'good' : 'faint', end.state);
  return paint('bad', `failed${end.code === null ? '' : `: ${end.code}`}`);
}
