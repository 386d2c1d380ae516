import { BackupError, isBackupError } from '../../core/errors.ts';
import { type Freeze, readFreezes } from '../../format/keep-marks.ts';
import { freeze } from '../../upkeep/freeze.ts';
import type { RegionVault, StepCode, StepContext, StepResult } from '../context.ts';
import { withDeadline } from '../deadline.ts';
import { listFacts } from '../run-state.ts';
import { plural } from './look.ts';

/** In all vaults that can be reached, copies and archives too. The reason names the plan: `release` takes back no others. */
export const freezeStep: StepCode = {
  check: async (context) => {
    const found = await inEachVault(context, async ({ vault }) =>
      (await readFreezes(vault)).some((mark) => isOurs(mark, context)),
    );
    // One that cannot be reached now cannot be frozen either.
    const isFrozen =
      found.some(({ result }) => result === true) && !found.some(({ result }) => result === false);
    return isFrozen ? said(found) : null;
  },
  act: async (context) => {
    const found = await inEachVault(context, async ({ vault }) => {
      const marks = await readFreezes(vault);
      if (marks.some((mark) => isOurs(mark, context))) return true;
      const { clock, software } = context.ports;
      await freeze({ vault, clock }, { reason: freezeReason(context), software });
      return true;
    });
    if (found.some(({ result }) => result === true)) return said(found);
    throw new BackupError(
      'vault_unreachable',
      `no vault could be frozen: ${found[0]?.reason ?? 'there is none'}`,
    );
  },
};

function said(found: readonly InVault<boolean>[]): StepResult {
  const frozen = found.filter(({ result }) => result === true).map(({ vault }) => vault);
  const left = found.filter(({ result }) => result === null);
  const rest = left.map(({ vault, reason }) => `; not ${vault}: ${reason}`).join('');
  return {
    text: `${plural(frozen.length, 'vault')} of ${found.length} frozen${rest}`,
    facts: { frozen: frozen.length, vaults: found.length, ...listFacts('vault', frozen) },
  };
}

export function freezeReason({ plan }: Pick<StepContext, 'plan'>): string {
  return `recovery ${plan.planId}`;
}

export function isOurs({ reason }: Freeze, context: Pick<StepContext, 'plan'>): boolean {
  return reason === freezeReason(context);
}

export interface InVault<Result> {
  readonly vault: string;
  /** Null where the vault could not do it, for the reason. */
  readonly result: Result | null;
  readonly reason: string;
}

/** In all configured vaults at the same time, each within the time of a few questions. */
export function inEachVault<Result>(
  { ports, settings, signal }: StepContext,
  work: (place: RegionVault) => Promise<Result>,
): Promise<InVault<Result>[]> {
  return Promise.all(
    ports.vaults.map(async (place) => {
      const { address } = place.vault;
      try {
        const result = await withDeadline(`asking ${address}`, 4 * settings.probeMs, signal, async () => {
          await place.vault.open({ create: false });
          return work(place);
        });
        return { vault: address, result, reason: '' };
      } catch (error) {
        if (!isBackupError(error) || error.code === 'interrupted') throw error;
        return { vault: address, result: null, reason: error.message };
      }
    }),
  );
}
