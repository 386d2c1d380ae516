import type { StepCode } from '../context.ts';
import { ghostWords } from '../vanished.ts';
import { targetOf } from './look.ts';

/** The checks of a live store, before anybody is let in. */
export const checkStep: StepCode = {
  check: async () => null,
  act: async (context) => {
    const { address } = targetOf(context);
    const facts = await context.ports.trials.examine(address, { signal: context.signal });
    const found = `the checks of ${address} found nothing that stands in the way`;
    return { text: [found, ...ghostWords(facts)].join('; '), facts };
  },
};
