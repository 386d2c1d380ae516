import type { Account } from './acknowledgements.ts';
import { handovers, writersAtOnce } from './acknowledgements.ts';
import { type RunDocument, stepMs, stepsMs } from './run.ts';
import { allTaken, type World } from './world.ts';
import type { Writers } from './writers.ts';

/** What was measured in one drill; null where there is nothing of the kind. Times in milliseconds. */
export interface Row {
  readonly assessMs: number | null;
  readonly fenceMs: number | null;
  /** Of the promotion, or of the restore. */
  readonly takeOverMs: number | null;
  /** Of the checks and the write probe. */
  readonly verifyMs: number | null;
  /** Of the public name, and of the proof through it. */
  readonly nameMs: number | null;
  /** From the last write that was acknowledged before to the first one after, through the public name. */
  readonly rtoMs: number | null;
  readonly account: Omit<Account, 'lostIds'> | null;
  /** Most servers that took writes at one moment. */
  readonly writers: number | null;
  /** What else was found, in words. */
  readonly found: string;
}

export const NOTHING: Omit<Row, 'found'> = {
  ...{ assessMs: null, fenceMs: null, takeOverMs: null, verifyMs: null, nameMs: null, rtoMs: null },
  ...{ account: null, writers: null },
};

/** The times of a run, and what the writers and the watcher saw of it. */
export function measure(
  world: World,
  run: RunDocument,
  writers: Writers,
): Omit<Row, 'found' | 'account' | 'assessMs'> {
  const acked = writers.log.all.flatMap(({ server, sentAtMs, ackedAtMs }) =>
    ackedAtMs === null ? [] : [{ server, sentAtMs, ackedAtMs }],
  );
  return {
    fenceMs: stepMs(run, 'fence'),
    takeOverMs: stepsMs(run, ['drain', 'choose', 'promote', 'restore']),
    verifyMs: stepsMs(run, ['check', 'probe']),
    nameMs: stepsMs(run, ['switch_name', 'verify_public']),
    rtoMs: handovers(acked).at(-1)?.gapMs ?? null,
    writers: Math.max(writersAtOnce(allTaken(writers.log, world.watcher)), world.watcher.mostInOneRound()),
  };
}

export interface NamedRow extends Row {
  readonly name: string;
  readonly does: string;
}

const HEAD = [
  'drill',
  'assess',
  'fence',
  'promote or restore',
  'verify',
  'name',
  'RTO',
  'acked',
  'lost',
  'in doubt',
  'RPO',
  'writers at once',
  'found',
];

/** A table of Markdown. */
export function renderRows(rows: readonly NamedRow[]): string {
  const lines = rows.map((row) => {
    const { account } = row;
    const count = (number: number | undefined) => number?.toLocaleString('en-US') ?? '—';
    return [
      `${row.name}: ${row.does}`,
      ...[row.assessMs, row.fenceMs, row.takeOverMs, row.verifyMs, row.nameMs, row.rtoMs].map(seconds),
      ...[account?.acked, account?.lost, account?.inDoubt].map(count),
      account === null ? '—' : `${Math.round(account.rpoMs).toLocaleString('en-US')} ms`,
      ...[count(row.writers ?? undefined), row.found],
    ];
  });
  return [HEAD, HEAD.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function seconds(ms: number | null): string {
  return ms === null ? '—' : `${(ms / 1000).toFixed(2)} s`;
}
