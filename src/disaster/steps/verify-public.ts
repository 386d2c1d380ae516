import type { StepCode } from '../context.ts';
import { targetOf } from './look.ts';

/** What applications will do: write through the public name. With this the clock of the recovery time stops. */
export const verifyPublicStep: StepCode = {
  skip: ({ ports }) => (ports.publicName === null ? 'no name is configured' : null),
  check: async () => null,
  act: async (context) => {
    const { address } = targetOf(context);
    const facts = await context.ports.trials.probePublic(address, { signal: context.signal });
    return { text: `${context.ports.publicName!.name} leads to ${address}, and takes events`, facts };
  },
};
