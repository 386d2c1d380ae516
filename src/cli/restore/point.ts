import type { EventStore } from '../../core/event-store.ts';
import type { Vault } from '../../core/vault.ts';
import { readCatalog } from '../../format/catalog.ts';
import { openChain, type ReadKeys } from '../../format/open-bundle.ts';
import type { CheckpointPolicy } from '../../recovery/checkpoints.ts';
import type { AllowedLoss } from '../../recovery/conversion.ts';
import { type RestoreReport, restoreBackup } from '../../recovery/restore.ts';
import { beginStep, type CommandContext } from '../context.ts';
import type { Hands } from '../threads/hands.ts';
import { systemClock } from '../wire.ts';
import { type RecallFlags, recallBackups, recallManifests } from './recalls.ts';
import { type ChosenPoint, choosePoint, type PointFlags } from './recovery-target.ts';

export interface OpenPointFlags extends PointFlags, RecallFlags {
  /** Nothing is asked for of an archive but what says what there is. */
  readonly dryRun?: true;
}

/** Chooses the point to bring back, and opens what it is made of. Throws `object_archived` while some of it cannot be read. */
export async function openPoint(
  context: CommandContext,
  vault: Vault,
  flags: OpenPointFlags,
  keys: ReadKeys,
): Promise<ChosenPoint> {
  return openFound(context, vault, await findPoint(context, vault, flags, keys), flags, keys);
}

/** Chooses it alone. */
export async function findPoint(
  context: CommandContext,
  vault: Vault,
  flags: OpenPointFlags,
  keys: ReadKeys,
): Promise<ChosenPoint> {
  await recallManifests(context, vault, flags);
  return choosePoint(context, vault, await readCatalog(vault), flags, keys);
}

/** Opens what a chosen point is made of. */
export async function openFound(
  context: CommandContext,
  vault: Vault,
  found: ChosenPoint,
  flags: OpenPointFlags,
  keys: ReadKeys,
): Promise<ChosenPoint> {
  const folders = found.chain.map(({ folder }) => folder);
  if (!flags.dryRun) await recallBackups(context, vault, folders, flags);
  return { ...found, chain: await openChain(vault, found.chain, keys, 'all') };
}

export interface RestorePointWork {
  readonly vault: Vault;
  readonly point: ChosenPoint;
  readonly target: EventStore;
  /** The target's address as threads open it: it may hold a password. */
  readonly to: string;
  readonly replace: boolean;
  readonly checkpoints: CheckpointPolicy;
  /** Left out: nothing may be lost. */
  readonly allowLoss?: AllowedLoss | undefined;
  readonly hands: Hands;
}

/** Restores a point, its steps told on the way. */
export async function restoreToPoint(
  context: CommandContext,
  { vault, point, target, to, replace, checkpoints, allowLoss = [], hands }: RestorePointWork,
): Promise<RestoreReport> {
  const { chain, recovery } = point;
  const { progress, signal } = context;
  const report = await restoreBackup(
    { target, vault, clock: systemClock, ...hands.loads(to, vault, chain) },
    chain,
    {
      ...{ replace, checkpoints, allowLoss, parallel: hands.parallel, signal },
      ...(recovery === null ? {} : { recovery }),
      onProgress: progress.update,
      onStep: (step) => beginStep(context, step),
    },
  );
  progress.end();
  for (const piece of report.discarded)
    context.log.warn(`threw away what a killed restore had left: ${piece}`);
  return report;
}
