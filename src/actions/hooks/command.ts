import type { Hook } from '../../core/disaster-ports.ts';
import { commandFailed, type OwnCommand, runCommand, showCommand } from '../run-command.ts';

/** The application's own command, such as one that brings the schema up to date. Run again after it died: it must bear that. */
export function commandHook(command: OwnCommand): Hook {
  return {
    describe: `run ${showCommand(command)}`,
    run: async (facts, { signal }) => {
      const startMs = performance.now();
      const end = await runCommand(command, { facts, signal });
      if (end.how !== 'ended' || end.code !== 0) throw commandFailed('action_failed', command, end);
      return { ranMs: Math.round(performance.now() - startMs) };
    },
  };
}
