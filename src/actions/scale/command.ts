import type { Scaler } from '../../core/disaster-ports.ts';
import { commandFailed, type OwnCommand, runCommand, showCommand } from '../run-command.ts';

export interface CommandScalerOptions extends OwnCommand {
  /** What asks whether the capacity is there. Left out, it is the same command, and both get a verb: `apply`, `check`. */
  readonly check?: readonly string[];
}

/** The operator's own way to add capacity. Asked, it says by its exit code whether it is there: 0 yes, 1 not yet. */
export function commandScaler(options: CommandScalerOptions): Scaler {
  const own = (verb: 'apply' | 'check') => ({
    command: { ...options, argv: verb === 'check' ? (options.check ?? options.argv) : options.argv },
    call: { words: options.check === undefined ? [verb] : [], facts: { verb } },
  });
  return {
    describe: `run ${showCommand(options)}`,
    apply: async ({ signal }) => {
      const { command, call } = own('apply');
      const end = await runCommand(command, { ...call, signal });
      if (end.how !== 'ended' || end.code !== 0) throw commandFailed('action_failed', command, end);
      return { scaler: 'command' };
    },
    check: async ({ signal }) => {
      const { command, call } = own('check');
      const end = await runCommand(command, { ...call, signal });
      if (end.how === 'ended' && (end.code === 0 || end.code === 1)) return end.code === 0;
      throw commandFailed('action_failed', command, end);
    },
  };
}
