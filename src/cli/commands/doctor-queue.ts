import { isBackupError } from '../../core/errors.ts';
import { type Check, failed } from '../../doctor/check.ts';
import { checkQueue, QUEUE_CHECK } from '../../doctor/queue-checks.ts';
import { PROTOCOL, SILENCE_MS } from '../../workers/protocol.ts';
import { queueKey } from '../../workers/sealed.ts';
import type { Settings } from '../config/config.ts';
import { beginStep, type CommandContext } from '../context.ts';
import { chooseQueue } from '../queue/settings.ts';
import { loadQueuesRoom } from '../wire.ts';

/** Whether workers could be given work; nothing where no queue is named. */
export async function lookAtQueue(context: CommandContext, settings: Settings): Promise<Check[]> {
  try {
    const chosen = await chooseQueue(context, {}, settings);
    if (chosen === null) return [];
    beginStep(context, 'looking at the queue');
    const { openPostgresQueue } = await loadQueuesRoom();
    const queue = openPostgresQueue(chosen.address, { protocol: PROTOCOL, silenceMs: SILENCE_MS });
    try {
      await queue.open(queueKey(chosen.secret).check);
      const [counts, workers] = await Promise.all([queue.counts(), queue.workers()]);
      return checkQueue({ address: queue.address, counts, workers });
    } finally {
      await queue.close();
    }
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    return [failed(QUEUE_CHECK, error)];
  }
}
