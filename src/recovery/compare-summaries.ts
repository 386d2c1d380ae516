import { BackupError } from '../core/errors.ts';
import type { StreamSummary } from '../core/event-store.ts';
import type { HeadLine } from '../format/heads.ts';

/**
 * Compares what was loaded with the backup's heads, stream by stream: number of events, first and last version, id of
 * the last event. Both come in byte order of the names, so memory stays flat. Throws `verification_failed` at the
 * first difference. Returns what was counted.
 */
export async function compareSummaries(
  loaded: AsyncIterable<StreamSummary>,
  heads: AsyncIterable<HeadLine>,
): Promise<{ events: number; streams: number }> {
  const expected = heads[Symbol.asyncIterator]();
  const counted = { events: 0, streams: 0 };
  for await (const is of loaded) {
    const next = await expected.next();
    if (next.done) throw differs(is.streamId, 'is not in the backup');
    compareStream(is, next.value);
    counted.events += is.events;
    counted.streams += 1;
  }
  const rest = await expected.next();
  if (!rest.done) throw differs(rest.value.streamId, 'was not loaded');
  return counted;
}

function compareStream(is: StreamSummary, was: HeadLine): void {
  if (is.streamId !== was.streamId)
    throw differs(was.streamId, `was not loaded, ${JSON.stringify(is.streamId)} was`);
  for (const key of ['events', 'firstVersion', 'lastVersion'] as const) {
    if (is[key] !== was[key]) throw differs(is.streamId, `has ${key} ${is[key]}, the backup ${was[key]}`);
  }
  // A UUID column gives ids back in lower case, whatever case the source's text had.
  if (is.lastEventId.toLowerCase() === was.lastEventId.toLowerCase()) return;
  throw differs(is.streamId, `ends with event ${is.lastEventId}, in the backup with ${was.lastEventId}`);
}

function differs(streamId: string, text: string): BackupError {
  return new BackupError('verification_failed', `after loading, stream ${JSON.stringify(streamId)} ${text}`, {
    hint: 'nothing was published and the target is as it was; please report this with the output of `eventcore verify`',
    facts: { streamId },
  });
}
