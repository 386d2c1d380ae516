import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import { printable } from '../../core/units.ts';
import type { CommandContext, Start } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { IDENTITY_FILE, SIGN_KEY_FILE, writePrivateFile } from '../keys/key-files.ts';
import { renderPairs } from '../render/table.ts';
import { loadKeysRoom, systemClock } from '../wire.ts';

interface GenerateFlags {
  readonly to?: string;
  readonly hybrid?: true;
  readonly sign?: true;
}

export function addGenerateCommand(keys: Command, start: Start): void {
  keys
    .command('generate')
    .description('make an identity that opens what is sealed for its recipient, or a key that signs')
    .option('--to <file>', `where it goes (default: ${IDENTITY_FILE}, ${SIGN_KEY_FILE}); never replaced`)
    .option('--hybrid', 'an identity that is also safe from quantum computers; its recipient is long')
    .addOption(new Option('--sign', 'a key that signs, instead of an identity').conflicts('hybrid'))
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore keys generate                           # on the machine that restores, not on the one that backs up',
          'eventcore keys generate --sign --to /etc/eventcore/backup.sign-key.pem',
          'eventcore keys generate --json | jq -r .recipient',
        ],
        [0, 2, 9],
      ),
    )
    .action((flags: GenerateFlags) => start((context) => generate(context, flags)));
}

async function generate(context: CommandContext, flags: GenerateFlags): Promise<number> {
  return flags.sign === true ? generateSigningKey(context, flags) : generateIdentity(context, flags);
}

async function generateIdentity({ cwd, output }: CommandContext, flags: GenerateFlags): Promise<number> {
  const file = resolve(cwd, flags.to ?? IDENTITY_FILE);
  const { makeIdentityFile } = await loadKeysRoom();
  const now = formatTime(timeFromUnixMs(systemClock.now()), 3);
  const { recipient, text } = await makeIdentityFile(flags.hybrid === true, now);
  await writePrivateFile(file, text);
  output.document({ kind: 'identity', file, recipient });
  output.account([
    `${output.paint('good', 'Made')} an identity: whoever has its file opens what is sealed for its recipient`,
    ...renderPairs([['file', `${printable(file)}, which only you may read`]]),
  ]);
  output.answer([recipient]);
  output.account([
    'Keep a copy of the file off this machine: without it, what is sealed for it is lost.',
    'A host that takes backups needs only the recipient.',
  ]);
  return 0;
}

async function generateSigningKey({ cwd, output }: CommandContext, flags: GenerateFlags): Promise<number> {
  const file = resolve(cwd, flags.to ?? SIGN_KEY_FILE);
  const { makeSigningKeyFile } = await loadKeysRoom();
  const { signer, text } = makeSigningKeyFile();
  await writePrivateFile(file, text);
  output.document({ kind: 'signing-key', file, signer });
  output.account([
    `${output.paint('good', 'Made')} a key that signs what this host writes`,
    ...renderPairs([['file', `${printable(file)}, which only you may read`]]),
  ]);
  output.answer([signer]);
  output.account(['Name the signer above under `encryption.trusted_signers` where backups are verified.']);
  return 0;
}
