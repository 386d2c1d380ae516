import { throwIfAborted } from '../../core/errors.ts';
import { formatBytes, formatCount, formatDuration, plural, printable } from '../../core/units.ts';
import type { CommandContext } from '../context.ts';
import type { Paint } from '../output.ts';
import type { Transaction } from './application.ts';
import * as story from './story.ts';

/** What the store of the demonstration is filled with. */
export interface History {
  /** In words. */
  readonly source: string;
  readonly transactions: Iterable<Transaction>;
}

/** What --json says of a demonstration. */
export interface Told extends Readonly<Record<string, unknown>> {
  readonly durationMs: number;
}

/** Plays the story on a stage, and prints each step as it happens. */
export async function tellStory(
  context: CommandContext,
  stage: story.Stage,
  history: History,
): Promise<Told> {
  const { paint } = context.output;
  const timings: Record<string, number> = {};
  const tell = makeTell(context, timings);
  const startedAtMs = performance.now();
  const { built, backup, damage } = await tellOfBackup(tell, stage, history, paint);
  const { restored, digest, continued } = await tellOfRecovery(tell, stage, built, backup, paint);
  const { backupId, sizeBytes, plainBytes } = backup.manifest;
  return {
    ...{ history: history.source, ...built, backupId, sizeBytes, plainBytes, damage },
    ...{ eventsRestored: restored.eventsRestored, restoredDigest: digest, equal: digest === built.digest },
    continued: { streamId: continued.streamId, from: String(continued.from), to: String(continued.to) },
    ...{ timingsMs: timings, durationMs: Math.round(performance.now() - startedAtMs) },
  };
}

interface Step<Result> {
  /** Names the step for programs. */
  readonly key: string;
  readonly title: string;
  readonly run: () => Promise<Result>;
  readonly lines: (result: Result) => string[];
}

/** Runs a step: its title before, its lines and how long it took after. */
type Tell = <Result>(step: Step<Result>) => Promise<Result>;

function makeTell({ output, signal }: CommandContext, timings: Record<string, number>): Tell {
  return async ({ key, title, run, lines }) => {
    throwIfAborted(signal);
    const number = Object.keys(timings).length + 1;
    output.account(['', output.paint('strong', `${number}  ${title}`)]);
    const startedAtMs = performance.now();
    const result = await run();
    const durationMs = performance.now() - startedAtMs;
    timings[key] = Math.round(durationMs);
    const took = output.paint('faint', `in ${formatDuration(durationMs)}`);
    output.account([...lines(result), took].map((line) => `   ${line}`));
    return result;
  };
}

async function tellOfBackup(tell: Tell, stage: story.Stage, history: History, paint: Paint) {
  const built = await tell({
    ...{ key: 'store', title: 'An event store' },
    run: () => story.buildStore(stage, history.transactions),
    lines: ({ transactions, events, streams }) => [
      `from ${printable(history.source)}`,
      `${plural(events, 'event')} in ${plural(streams, 'stream')}, written in ${plural(transactions, 'transaction')}`,
    ],
  });
  const backup = await tell({
    ...{ key: 'backup', title: 'Backup' },
    run: () => story.backUp(stage),
    lines: ({ manifest: { backupId, sizeBytes, plainBytes } }) => [
      `${backupId}, ${formatBytes(sizeBytes)} from ${formatBytes(plainBytes)} of events`,
    ],
  });
  await tell({
    ...{ key: 'verify', title: 'Verify' },
    run: () => story.verifySound(stage, backup),
    lines: ({ eventsChecked }) => [
      `${paint('good', 'sound')}: ${plural(eventsChecked, 'event')} read back and checked`,
    ],
  });
  const damage = await tell({
    ...{ key: 'damage', title: 'Damage: one bit of a copy of the backup is changed' },
    run: () => story.damageCopy(stage, backup),
    lines: ({ file, offset, was, is, problem }) => [
      `byte ${formatCount(offset)} of ${file} was ${hexByte(was)} and is ${hexByte(is)}`,
      `${paint('bad', 'found')}: ${printable(problem.message)}`,
    ],
  });
  return { built, backup, damage };
}

async function tellOfRecovery(
  tell: Tell,
  stage: story.Stage,
  built: story.BuiltStore,
  backup: story.TakenBackup,
  paint: Paint,
) {
  await tell({
    ...{ key: 'destroy', title: 'Disaster: the store is deleted' },
    run: () => story.destroyStore(stage),
    lines: () => ['events.db is gone'],
  });
  const restored = await tell({
    ...{ key: 'restore', title: 'Restore from the sound backup' },
    run: () => story.restore(stage, backup),
    lines: ({ eventsRestored, streamsRestored, checkpoints }) => [
      `${plural(eventsRestored, 'event')} in ${plural(streamsRestored, 'stream')}, and the position of ${plural(checkpoints.length, 'consumer')}`,
    ],
  });
  const digest = await tell({
    ...{ key: 'proof', title: 'Proof: every column of every event' },
    run: () => story.proveEqual(stage, built),
    lines: (after) => [`before  ${built.digest}`, `after   ${after}  ${paint('good', 'equal')}`],
  });
  const continued = await tell({
    ...{ key: 'append', title: 'Life goes on' },
    run: () => story.carryOn(stage),
    lines: ({ streamId, from, to }) => [
      `appended to ${printable(JSON.stringify(streamId))} after version ${from}: this is version ${to}`,
      'a second writer who expected the old version was refused',
    ],
  });
  return { restored, digest, continued };
}

function hexByte(byte: number): string {
  return `0x${byte.toString(16).padStart(2, '0')}`;
}
