import type { ConsoleStore } from './ports.ts';
import { shellWord } from './shell-word.ts';

/** A command as one types it for a store; words that a shell would read otherwise are quoted. */
export function commandLine({ config }: Pick<ConsoleStore, 'config'>, ...words: readonly string[]): string {
  return ['eventcore', ...words, '--config', config].map(shellWord).join(' ');
}
