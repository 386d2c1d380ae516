import type { Notifier, NotifierRule } from '../core/alert.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { Settings } from './config/config.ts';
import type { CommandContext } from './context.ts';
import { folderOf, type ReadSecret, secretReader } from './keys/secrets.ts';
import type { NotifierSettings } from './monitor/schema.ts';
import { loadNotifiersRoom } from './wire.ts';

const KINDS = ['log', 'webhook', 'slack', 'mail', 'command'] as const;
type Kind = (typeof KINDS)[number];

/** Who is told of what, as the configuration has it: no secret is read. */
export function notifierRules({ notify }: Pick<Settings, 'notify'>): NotifierRule[] {
  return notify.map(({ severity, after = 0 }, i) => ({
    ...{ name: nameOf(notify, i), criticalOnly: severity === 'critical', afterMs: after },
  }));
}

export type RuledNotifier = Notifier & NotifierRule;

/**
 * The notifiers that the configuration names, with their secrets, which are read now. Nothing is sent. Throws `config_invalid` or
 * `key_refused`.
 */
export async function openNotifiers(
  { notify, file }: Settings,
  context: Pick<CommandContext, 'env' | 'cwd' | 'log'>,
): Promise<RuledNotifier[]> {
  if (notify.length === 0) return [];
  const folder = folderOf({ file }, context);
  const room = await loadNotifiersRoom();
  const read = await secretReader(folder, context.env);
  const notifiers: RuledNotifier[] = [];
  const rules = notifierRules({ notify });
  for (const [i, entry] of notify.entries()) {
    const rule = rules[i]!;
    try {
      const notifier = await openOne(room, { name: rule.name, entry, read, folder, context });
      notifiers.push({ ...notifier, ...rule });
    } catch (cause) {
      if (!isBackupError(cause, 'usage')) throw cause;
      const options = cause.hint === null ? {} : { hint: cause.hint };
      throw new BackupError('config_invalid', `${file}: \`notify.${i}\`: ${cause.message}`, options);
    }
  }
  return notifiers;
}

/** `webhook`, and where there are several of a kind, `webhook 2`: what was not delivered is on record by that. */
function nameOf(notify: readonly NotifierSettings[], at: number): string {
  const kind = kindOf(notify[at]!);
  const number = notify.slice(0, at + 1).filter((entry) => kindOf(entry) === kind).length;
  return number === 1 ? kind : `${kind} ${number}`;
}

function kindOf(entry: NotifierSettings): Kind {
  return KINDS.find((kind) => entry[kind] !== undefined)!;
}

interface Opening {
  readonly name: string;
  readonly entry: NotifierSettings;
  readonly read: ReadSecret;
  readonly folder: string;
  readonly context: Pick<CommandContext, 'env' | 'log'>;
}

async function openOne(
  room: Awaited<ReturnType<typeof loadNotifiersRoom>>,
  { name, entry, read, folder, context }: Opening,
): Promise<Notifier> {
  const { webhook, slack, mail, command } = entry;
  const secret = (source: string | undefined) => (source === undefined ? null : read(source));
  const addressOf = async (url: string) => (/^https?:/.test(url) ? url : read(url));
  if (webhook !== undefined) {
    const [url, key] = [await addressOf(webhook.url), await secret(webhook.secret)];
    return room.webhookNotifier({ name, url, secret: key });
  }
  if (slack !== undefined) return room.slackNotifier({ name, url: await addressOf(slack.url) });
  if (mail !== undefined) {
    const { server, from, to } = mail;
    return room.mailNotifier({ name, server, from, to, password: await secret(mail.password) });
  }
  if (command !== undefined) {
    return room.commandNotifier({ name, argv: command, env: context.env, cwd: folder });
  }
  return room.logNotifier(name, context.log);
}
