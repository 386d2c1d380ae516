import type { Fence } from '../../core/disaster-ports.ts';
import { type CommandEnd, commandFailed, type OwnCommand, runCommand, showCommand } from '../run-command.ts';

export interface CommandFenceOptions extends OwnCommand {
  /** What asks whether the fence stands. Left out, it is the same command, and both get a verb: `apply`, `check`. */
  readonly check?: readonly string[];
}

/**
 * The operator's own way: to switch a machine off, to cut its network. Asked, it says by its exit code whether the fence stands: 0 yes,
 * 1 no; whatever else happens says nothing, and that is not enough.
 */
export function commandFence(options: CommandFenceOptions): Fence {
  const run = (verb: 'apply' | 'check', signal: AbortSignal): Promise<CommandEnd> => {
    const argv = verb === 'check' ? (options.check ?? options.argv) : options.argv;
    const words = options.check === undefined ? [verb] : [];
    return runCommand({ ...options, argv }, { words, facts: { verb }, signal });
  };
  return {
    describe: `run ${showCommand(options)}`,
    apply: async ({ signal }) => {
      const end = await run('apply', signal);
      if (end.how !== 'ended' || end.code !== 0) throw commandFailed('fence_failed', options, end);
      return { fence: 'command' };
    },
    check: async ({ signal }) => {
      const { how, code } = await run('check', signal);
      if (how !== 'ended') return 'unknown';
      return code === 0 ? 'fenced' : code === 1 ? 'open' : 'unknown';
    },
  };
}
