import assert from 'node:assert/strict';
import { isBackupError } from '../../core/errors.ts';
import type { EventStore, PartWriter, RestoreSession } from '../../core/event-store.ts';
import { completeEvent, makeBatch, type TestEvent } from '../batches.ts';
import type { ContractCase, StoreCase } from './fixture.ts';
import { readAll } from './restoring.ts';

/** Of stores whose restores others can join; nothing is asked of the rest. */
export const PART_CASES: readonly ContractCase[] = [
  ['a part is loaded once, and who joins it again is told what was recorded', ifJoined(loadsOnce)],
  ['of two who load one part only the first one counts, and both are told so', ifJoined(countsOne)],
  ['who still writes a part when the load is finished is cut off', ifJoined(cutsOff)],
  ['a part of a restore that is over is refused, and not worth another try', ifJoined(refusesLate)],
];

type Joined = StoreCase & { readonly session: RestoreSession; readonly token: string };

function ifJoined(run: (context: Joined) => Promise<void>): (context: StoreCase) => Promise<void> {
  return async (context) => {
    const session = await context.store.openRestore({ attemptId: crypto.randomUUID(), replace: false });
    const { token } = session;
    if (token !== null) await run({ ...context, session, token });
    await session.discard();
  };
}

/** A stream of its own. */
function eventsOf(part: number, count = 300): TestEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `01932f3e-7c00-7a01-8b02-${part}${i.toString(16).padStart(11, '0')}`,
    streamId: `stream-${part}`,
    version: i + 1,
    data: `{"part": ${part}}`,
  }));
}

async function begin(store: EventStore, token: string, part: string): Promise<PartWriter> {
  const joined = await store.joinPart(token, part);
  assert.ok(joined.state === 'open', `part ${part} is loaded`);
  return joined.writer;
}

async function loadPart(store: EventStore, token: string, part: number): Promise<void> {
  const writer = await begin(store, token, String(part));
  await writer.write(makeBatch(eventsOf(part)));
  assert.equal(await writer.end(`"record" '${part}' \\`), `"record" '${part}' \\`);
}

async function publish(session: RestoreSession): Promise<void> {
  await session.finishLoad();
  await session.publish();
}

async function assertHolds(store: EventStore, ...parts: readonly number[]): Promise<void> {
  const events = parts.flatMap((part) => eventsOf(part).map(completeEvent));
  assert.deepEqual(await readAll(store), events);
}

async function loadsOnce({ store, open, session, token }: Joined): Promise<void> {
  const another = open();
  await loadPart(another, token, 1);
  for (const handle of [store, another, open()]) {
    assert.deepEqual(await handle.joinPart(token, '1'), { state: 'loaded', record: `"record" '1' \\` });
  }
  const given = await begin(another, token, '2');
  await given.write(makeBatch(eventsOf(2)));
  await given.abort();
  await given.abort();
  await loadPart(open(), token, 2);
  await publish(session);
  await assertHolds(store, 1, 2);
}

async function countsOne({ store, open, session, token }: Joined): Promise<void> {
  const [first, second] = [await begin(open(), token, '1'), await begin(open(), token, '1')];
  await first.write(makeBatch(eventsOf(1)));
  await second.write(makeBatch(eventsOf(1)));
  assert.equal(await second.end('second'), 'second');
  assert.equal(await first.end('first'), 'second');
  assert.deepEqual(await open().joinPart(token, '1'), { state: 'loaded', record: 'second' });
  await loadPart(open(), token, 2);
  await publish(session);
  await assertHolds(store, 1, 2);
}

async function cutsOff({ store, open, session, token }: Joined): Promise<void> {
  const late = await begin(open(), token, '1');
  await late.write(makeBatch(eventsOf(1)));
  await loadPart(open(), token, 1);
  await publish(session);
  await assert.rejects(late.end('late'));
  await late.abort();
  await assertHolds(store, 1);
}

async function refusesLate({ store, open, session, token }: Joined): Promise<void> {
  const isFinal = async (work: Promise<unknown>): Promise<void> => {
    await assert.rejects(work, (error) => isBackupError(error, 'store_refused') && !error.retryable);
  };
  const another = open();
  await loadPart(another, token, 1);
  await session.discard();
  await isFinal(another.joinPart(token, '1'));
  const next = await store.openRestore({ attemptId: crypto.randomUUID(), replace: true });
  assert.notEqual(next.token, token);
  await isFinal(another.joinPart(token, '2'));
  await loadPart(another, next.token!, 1);
  await publish(next);
  await isFinal(another.joinPart(next.token!, '1'));
  await assertHolds(store, 1);
}
