import { type Command, Option } from 'commander';
import { BackupError } from '../../core/errors.ts';
import type { Settings } from '../config/config.ts';
import type { CommandContext } from '../context.ts';
import { folderOf, secretReader } from '../keys/secrets.ts';

export interface QueueFlags {
  /** False: whatever the configuration says, this machine works alone. */
  readonly queue?: string | false;
  readonly queueKey?: string;
}

export interface ChosenQueue {
  /** May hold a password. */
  readonly address: string;
  readonly secret: string;
}

/** Options of commands that may have their work done by others. */
export function addQueueOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--queue <address>',
        'have it done by workers that take jobs from this queue, postgres://…/database',
      ).helpGroup('WORKERS'),
    )
    .addOption(new Option('--no-queue', 'work on this machine alone').helpGroup('WORKERS'))
    .addOption(queueKeyOption().helpGroup('WORKERS'));
}

export function queueKeyOption(): Option {
  return new Option(
    '--queue-key <secret>',
    'the key that coordinators and workers share: file:PATH, env:NAME or command:LINE',
  );
}

export function namesQueue(
  { env }: Pick<CommandContext, 'env'>,
  { queue }: QueueFlags,
  settings: Settings,
): boolean {
  return queue !== false && (queue ?? (env.EVENTCORE_QUEUE || settings.queue.address)) !== undefined;
}

/** As `chooseQueue`; throws `usage` where none is named. */
export async function requireQueue(
  context: CommandContext,
  flags: QueueFlags,
  settings: Settings,
): Promise<ChosenQueue> {
  const chosen = await chooseQueue(context, flags, settings);
  if (chosen !== null) return chosen;
  throw new BackupError('usage', 'no queue is named', {
    hint: 'add --queue postgres://…/database, set EVENTCORE_QUEUE, or write `address` into the section `queue`',
  });
}

/** The flags beat EVENTCORE_QUEUE, which beats the file. Null: no queue is named. Throws `usage` where there is no key for it. */
export async function chooseQueue(
  context: CommandContext,
  flags: QueueFlags,
  settings: Settings,
): Promise<ChosenQueue | null> {
  if (flags.queue === false) return null;
  const address = flags.queue ?? (context.env.EVENTCORE_QUEUE || settings.queue.address);
  if (address === undefined) return null;
  const source = flags.queueKey ?? settings.queue.key;
  if (source === undefined) {
    throw new BackupError('usage', 'a queue is named, and no key for it', {
      hint: 'add --queue-key file:PATH, or `key` to the section `queue`; make one with `openssl rand -base64 32`',
    });
  }
  const folder = flags.queueKey === undefined ? folderOf(settings, context) : context.cwd;
  const readSecret = await secretReader(folder, context.env);
  return { address, secret: await readSecret(source) };
}
