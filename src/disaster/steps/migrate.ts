import type { StepCode } from '../context.ts';
import { targetOf } from './look.ts';

/** The application's own command. It is run again when it is not known to have ended: it must bear that. */
export const migrateStep: StepCode = {
  skip: ({ ports }) => (ports.migrate === null ? 'no command is configured' : null),
  check: async () => null,
  act: async (context) => {
    const { ports, plan, signal } = context;
    const { region, address } = targetOf(context);
    const about = { planId: plan.planId, strategy: plan.strategy.kind, region, server: address };
    const facts = await ports.migrate!.run(about, { signal });
    return { text: `${ports.migrate!.describe} has run`, facts };
  },
};
