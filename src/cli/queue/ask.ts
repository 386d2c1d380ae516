import type { KnownWorker, QueueCounts } from '../../core/work-queue.ts';
import { PROTOCOL, SILENCE_MS } from '../../workers/protocol.ts';
import { queueKey } from '../../workers/sealed.ts';
import { loadQueuesRoom } from '../wire.ts';
import type { ChosenQueue } from './settings.ts';

export interface AskedQueue {
  /** To show to people. */
  readonly address: string;
  readonly counts: QueueCounts;
  readonly workers: readonly KnownWorker[];
}

/** What waits in a queue, and who works for it. One that was never used is made. Throws what the queue throws. */
export async function askQueue({ address, secret }: ChosenQueue): Promise<AskedQueue> {
  const { openPostgresQueue } = await loadQueuesRoom();
  const queue = openPostgresQueue(address, { protocol: PROTOCOL, silenceMs: SILENCE_MS });
  try {
    await queue.open(queueKey(secret).check);
    const [counts, workers] = await Promise.all([queue.counts(), queue.workers()]);
    return { address: queue.address, counts, workers };
  } finally {
    await queue.close();
  }
}
