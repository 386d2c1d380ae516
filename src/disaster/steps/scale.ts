import type { Scaler } from '../../core/disaster-ports.ts';
import { BackupError } from '../../core/errors.ts';
import type { StepCode, StepContext } from '../context.ts';
import { lookUntil, targetOf } from './look.ts';

/** Capacity, where the region takes over what another one carried. */
export const scaleStep: StepCode = {
  skip: (context) => (scalerOf(context) === null ? 'nothing to scale is configured for the region' : null),
  check: async (context) => {
    const scaler = scalerOf(context)!;
    const isThere = await scaler.check({ signal: context.signal });
    return isThere ? { text: `${scaler.describe}: it is so already`, facts: {} } : null;
  },
  act: async (context) => {
    const scaler = scalerOf(context)!;
    const call = { signal: context.signal };
    const facts = await scaler.apply(call);
    const waitMs = context.settings.deadlines.scale * 0.8;
    const isThere = await lookUntil(context, waitMs, async () => ((await scaler.check(call)) ? true : null));
    if (isThere === true) return { text: scaler.describe, facts };
    throw new BackupError('action_failed', `${scaler.describe}: it was asked for, and is not there yet`, {
      hint: 'look at what gives the capacity; applications are let in all the same',
    });
  },
};

function scalerOf(context: StepContext): Scaler | null {
  return context.ports.scalers.get(targetOf(context).region) ?? null;
}
