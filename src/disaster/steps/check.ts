import type { StepCode } from '../context.ts';
import { targetOf } from './look.ts';

/** The checks of a live store, before anybody is let in. */
export const checkStep: StepCode = {
  check: async () => null,
  act: async (context) => {
    const { address } = targetOf(context);
    const facts = await context.ports.trials.examine(address, { signal: context.signal });
    return { text: `the checks of ${address} found nothing that stands in the way`, facts };
  },
};
