import { BackupError, isBackupError } from '../../core/errors.ts';
import { FREEZE_PREFIX, readFreezes, releaseMark } from '../../format/keep-marks.ts';
import type { StepCode, StepContext } from '../context.ts';
import { readListFacts } from '../run-state.ts';
import { type InVault, inEachVault, isOurs } from './freeze.ts';
import { plural } from './look.ts';

/** Takes back the marks of this plan, and no others. */
export const releaseStep: StepCode = {
  check: async () => null,
  act: async (context) => {
    const found = await releaseMarks(context);
    const frozen = readListFacts(context.run.steps.freeze.facts, 'vault');
    const failed = found.filter(({ vault, result }) => result === null && frozen.includes(vault));
    const released = found.reduce((sum, { result }) => sum + (result ?? 0), 0);
    if (failed.length > 0) {
      const names = failed.map(({ vault, reason }) => `${vault}: ${reason}`).join('; ');
      throw new BackupError('action_failed', `still frozen, where it was: ${names}`, {
        hint: 'when the vaults can be reached, take the run up once more, or end the freeze with `eventcore freeze off`',
      });
    }
    return { text: `${plural(released, 'vault')} released`, facts: { released } };
  },
};

/** How many marks each vault had. */
export function releaseMarks(context: StepContext): Promise<InVault<number>[]> {
  const { clock, software } = context.ports;
  return inEachVault(context, async ({ vault }) => {
    const marks = (await readFreezes(vault)).filter((mark) => isOurs(mark, context));
    const releasedAt = new Date(clock.now()).toISOString();
    for (const { id } of marks) {
      await releaseMark(vault, FREEZE_PREFIX, id, { releasedAt, software }).catch(ignoreTaken);
    }
    return marks.length;
  });
}

function ignoreTaken(error: unknown): void {
  if (!isBackupError(error, 'vault_object_exists')) throw error;
}
