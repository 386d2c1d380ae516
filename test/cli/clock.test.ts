import { systemClock } from '../../src/cli/wire.ts';
import { clockContract } from '../../src/testing/clock-contract.ts';

clockContract({ name: 'of the system', clock: systemClock });
