import { isBackupError } from '../../core/errors.ts';
import { type Check, failed } from '../../doctor/check.ts';
import { checkQueue, QUEUE_CHECK } from '../../doctor/queue-checks.ts';
import type { Settings } from '../config/config.ts';
import { beginStep, type CommandContext } from '../context.ts';
import { askQueue } from '../queue/ask.ts';
import { chooseQueue } from '../queue/settings.ts';

/** Whether workers could be given work; nothing where no queue is named. */
export async function lookAtQueue(context: CommandContext, settings: Settings): Promise<Check[]> {
  try {
    const chosen = await chooseQueue(context, {}, settings);
    if (chosen === null) return [];
    beginStep(context, 'looking at the queue');
    return checkQueue(await askQueue(chosen));
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    return [failed(QUEUE_CHECK, error)];
  }
}
