import type { StepCode } from '../context.ts';
import { targetOf } from './look.ts';

/** An event is appended to a stream of its own and read back. */
export const probeStep: StepCode = {
  check: async () => null,
  act: async (context) => {
    const { address } = targetOf(context);
    const facts = await context.ports.trials.probeWrites(address, { signal: context.signal });
    return { text: `${address} takes events and gives them back`, facts };
  },
};
