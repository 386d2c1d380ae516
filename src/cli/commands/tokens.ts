import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { stringify } from 'yaml';
import { hashToken, makeToken, TOKEN_BYTES, type TokenEntry } from '../../console/access/tokens.ts';
import type { CommandContext, Start } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { isAccessName } from '../serve/access-schema.ts';

export function addTokensCommand(program: Command, start: Start): void {
  const tokens = program
    .command('tokens')
    .description('make tokens, with which people and programs get into the console of the daemon')
    .addHelpText('after', helpEnd(['eventcore tokens generate --name alice --role operator'], [0, 2]));
  tokens
    .command('generate')
    .description('make a token, and what of it stands in the configuration')
    .requiredOption('--name <name>', 'who gets it; stands in the audit log', parseName)
    .addOption(
      new Option('--role <role>', 'operators start jobs and restores; viewers look')
        .choices(['viewer', 'operator'])
        .default('viewer'),
    )
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore tokens generate --name alice --role operator',
          'eventcore tokens generate --name prometheus --quiet > prometheus.token',
          'eventcore tokens generate --name alice --json | jq -r .hash',
        ],
        [0, 2],
      ),
    )
    .action((flags: GenerateFlags) => start((context) => generate(context, flags)));
}

type GenerateFlags = Pick<TokenEntry, 'name' | 'role'>;

function parseName(text: string): string {
  if (isAccessName(text)) return text;
  throw new InvalidArgumentError('expected 1 to 100 characters.');
}

/** The token is printed once and kept nowhere. */
function generate({ output }: CommandContext, { name, role }: GenerateFlags): Promise<number> {
  const token = makeToken(randomBytes(TOKEN_BYTES));
  const hash = hashToken(token);
  output.document({ name, role, token, hash });
  output.answer([token]);
  output.account([
    `${output.paint('good', 'Made')} a token, which is shown this once: whoever has it may ${role === 'operator' ? 'look and act' : 'look'}.`,
    'In the configuration of the daemon, where it counts within seconds:',
    '',
    ...stringify({ serve: { access: { tokens: [{ name, role, hash }] } } })
      .trimEnd()
      .split('\n'),
  ]);
  return Promise.resolve(0);
}
