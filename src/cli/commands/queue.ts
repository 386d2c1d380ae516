import type { Command } from 'commander';
import { formatDuration, plural } from '../../core/units.ts';
import type { KnownWorker, QueueCounts } from '../../core/work-queue.ts';
import type { CommandContext, Start } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { askQueue } from '../queue/ask.ts';
import { type QueueFlags, queueKeyOption, requireQueue } from '../queue/settings.ts';
import { type Column, renderTable } from '../render/table.ts';
import { systemClock } from '../wire.ts';

export function addQueueCommand(program: Command, start: Start): void {
  program
    .command('queue')
    .description('show what waits in a queue, who works for it, and what failed')
    .option('--queue <address>', 'which: postgres://…/database (default: the configuration)')
    .addOption(queueKeyOption())
    .addHelpText('after', helpEnd(['eventcore queue', 'eventcore queue --json | jq .workers'], [0, 2, 8, 11]))
    .action((flags: QueueFlags) => start((context) => showQueue(context, flags)));
}

async function showQueue(context: CommandContext, flags: QueueFlags): Promise<number> {
  const { address, counts, workers } = await askQueue(
    await requireQueue(context, flags, await context.settings()),
  );
  context.output.document({ queue: address, ...counts, workers });
  context.output.answer(linesOf(address, counts, workers));
  return 0;
}

function linesOf(address: string, counts: QueueCounts, workers: readonly KnownWorker[]): string[] {
  const { waiting, active, dead, runs } = counts;
  const alive = workers.filter(({ isAlive }) => isAlive);
  const lanes = alive.reduce((sum, worker) => sum + (worker.lanes ?? 0), 0);
  return [
    `${address}: ${plural(waiting, 'job')} waiting, ${active} under way; ${plural(alive.length, 'worker')} for ${lanes} at once`,
    ...(dead === 0 ? [] : [`${plural(dead, 'job')} failed for good within a week`]),
    ...table(RUNS, runs),
    ...table(WORKERS, workers),
  ];
}

interface Cell<Row> extends Column {
  readonly text: (row: Row) => string;
}

const RUNS: readonly Cell<QueueCounts['runs'][number]>[] = [
  { title: 'work', text: ({ what }) => what },
  { title: 'for', text: ({ holder }) => holder },
  { title: 'waiting', align: 'right', text: ({ waiting }) => String(waiting) },
  { title: 'under way', align: 'right', text: ({ active }) => String(active) },
];

const WORKERS: readonly Cell<KnownWorker>[] = [
  { title: 'worker', text: ({ name }) => name },
  { title: 'at once', align: 'right', text: ({ lanes }) => String(lanes ?? 'begins') },
  { title: 'under way', align: 'right', text: ({ active }) => String(active) },
  { title: 'heard of', text: (worker) => heard(worker) },
];

function table<Row>(cells: readonly Cell<Row>[], rows: readonly Row[]): string[] {
  if (rows.length === 0) return [];
  return [
    '',
    ...renderTable(
      cells,
      rows.map((row) => cells.map(({ text }) => text(row))),
    ),
  ];
}

function heard({ isAlive, seenAtMs }: KnownWorker): string {
  const ago = `${formatDuration(Math.max(0, systemClock.now() - seenAtMs))} ago`;
  return isAlive ? ago : `${ago}: lost`;
}
