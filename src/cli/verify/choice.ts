import { InvalidArgumentError } from 'commander';
import { BackupError } from '../../core/errors.ts';
import { formatBytes, formatCount, plural } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import type { CatalogEntry } from '../../format/catalog.ts';
import type { LogTimeline } from '../../format/log-catalog.ts';
import { unitsOf } from '../../policy/verified-memory.ts';
import { planShare, type SharePlan, type ShareRule } from '../../policy/verify-share.ts';
import type { Paint } from '../output.ts';
import { readMemory } from './verified.ts';

/** Which part of a vault a run verifies. */
export interface ChoiceFlags {
  /** More than 0 and up to 1. */
  readonly share?: number;
  readonly notSince?: number;
  readonly quick?: true;
  readonly againstStore?: true;
}

export function readShare(text: string): number {
  const [, digits] = /^(\d{1,3}(?:\.\d{1,3})?) ?%$/.exec(text) ?? [];
  const share = Number(digits) / 100;
  if (share > 0 && share <= 1) return share;
  throw new InvalidArgumentError('It must be a share of all that is in the vault, as 5% or 0.5%.');
}

/** Throws `usage` for what cannot be had together. */
export function checkChoice({ share, notSince, quick, againstStore }: ChoiceFlags): void {
  if (share === undefined && notSince === undefined) return;
  const flag = share === undefined ? '--not-since' : '--share';
  if (quick) {
    throw new BackupError('usage', `${flag} and --quick do not go together`, {
      hint: 'a quick look reads no event, so it takes no turns: leave out one of the two',
    });
  }
  if (againstStore) {
    throw new BackupError('usage', `${flag} and --against-store do not go together`, {
      hint: 'the newest backup may not be in the share: run `eventcore verify --against-store` for itself',
    });
  }
}

/** Whole names of the files that a run verifies, and how that came. */
export interface Choice {
  readonly names: ReadonlySet<string>;
  readonly plan: SharePlan;
}

/** Null: all. */
export async function chooseUnits(
  vault: Vault,
  held: { readonly entries: readonly CatalogEntry[]; readonly timelines: readonly LogTimeline[] },
  { share, notSince }: ChoiceFlags,
  nowMs: number,
): Promise<Choice | null> {
  if (share === undefined && notSince === undefined) return null;
  const memory = await readMemory(vault, nowMs);
  const rule: ShareRule = { share: share ?? null, notSinceMs: notSince ?? null, nowMs };
  const plan = planShare(unitsOf(memory, held.entries, held.timelines), rule);
  return { names: new Set(plan.units.filter(({ kept }) => kept).map(({ item }) => item.name)), plan };
}

/** What of some backups is chosen, and of which of them only some files. */
export function chosenOf(
  choice: Choice | null,
  entries: readonly CatalogEntry[],
): { entries: readonly CatalogEntry[]; files: ReadonlyMap<string, ReadonlySet<string>> } {
  const files = new Map<string, ReadonlySet<string>>();
  if (choice === null) return { entries, files };
  const chosen = entries.filter(({ folder, manifest }) => {
    const own = manifest.files.map(({ name }) => name).filter((name) => choice.names.has(folder + name));
    if (own.length < manifest.files.length) files.set(folder, new Set(own));
    // One that has no file costs nothing.
    return own.length > 0 || manifest.files.length === 0;
  });
  return { entries: chosen, files };
}

/** Logs of which something is chosen, or whose names say that something is wrong. */
export function chosenLogs(choice: Choice | null, timelines: readonly LogTimeline[]): readonly LogTimeline[] {
  if (choice === null) return timelines;
  return timelines.filter(
    ({ spans, problems }) =>
      problems.length > 0 || spans.some(({ files }) => files.some(({ name }) => choice.names.has(name))),
  );
}

export function choiceDocument({ plan }: Choice, { share, notSince }: ChoiceFlags): Record<string, unknown> {
  return {
    share: share ?? null,
    notSinceMs: notSince ?? null,
    unsoundLeft: unsoundLeft(plan),
    ...{ takenBytes: plan.takenBytes, totalBytes: plan.totalBytes, totalFiles: plan.units.length },
    files: plan.units
      .filter(({ kept }) => kept)
      .map(({ item, reasons }) => ({ name: item.name, reason: reasons[0] })),
  };
}

/** Found unsound before, and not looked at again now. */
function unsoundLeft({ units }: SharePlan): number {
  return units.filter(({ kept, item }) => !kept && item.isSound === false).length;
}

export function choiceLines({ plan, names }: Choice, paint: Paint): string[] {
  if (names.size === 0 && plan.units.length > 0)
    return ['Nothing is due: all was found sound within the time that was named'];
  const never = plan.units.filter(({ kept, item }) => kept && item.verifiedAtMs === null).length;
  const files = `${formatCount(names.size)} of ${formatCount(plan.units.length)} files`;
  const bytes = `${formatBytes(plan.takenBytes)} of ${formatBytes(plan.totalBytes)}`;
  const first = never === 0 ? '' : `, ${formatCount(never)} of them never verified before`;
  const left = unsoundLeft(plan);
  const warning = `${plural(left, 'file')} found unsound before and not in this share: \`eventcore verify\` looks again`;
  return [
    `Share: ${files} (${bytes}), the longest unverified ones${first}`,
    ...(left === 0 ? [] : [paint('warning', warning)]),
  ];
}
