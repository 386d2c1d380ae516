import type { Command } from 'commander';
import type { Start } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addGenerateCommand } from './keys-generate.ts';
import { addKeysListCommand } from './keys-list.ts';
import { addRewrapCommand } from './keys-rewrap.ts';

export function addKeysCommand(program: Command, start: Start): void {
  const keys = program
    .command('keys')
    .description('make keys, show who can open what is sealed, and change who can')
    .addHelpText('after', helpEnd(['eventcore keys generate', 'eventcore keys list'], [0, 2]));
  addGenerateCommand(keys, start);
  addKeysListCommand(keys, start);
  addRewrapCommand(keys, start);
}
