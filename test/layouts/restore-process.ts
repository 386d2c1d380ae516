/**
 * A restore of a tenant of Emmett, to be killed: `node restore-process.ts ADDRESS STAGE`. Says `there` at the stage and stays there:
 * `loading` (a COPY under way), `loaded` (indexes built), `publishing` (which the caller holds up with a lock).
 */
import type { EventStore, RestoreSession } from '../../src/core/event-store.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { makeBatch, type TestEvent } from '../../src/testing/batches.ts';

/** Messages of one stream, as a backup has them. */
function messagesOf(count: number): TestEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    ...{ streamId: 'tenant/cart-1', version: i + 1 },
    metadata: JSON.stringify({
      metadata: {},
      columns: {
        ...{ stream_id: 'cart-1', partition: 'tenant', message_schema_version: '1' },
        ...{ transaction_id: '800', global_position: String(i + 5) },
      },
    }),
  }));
}

/** All is loaded, and a processor too, and waits for `publish`. */
export async function loadTenant(
  store: EventStore,
  attemptId: string,
  count: number,
): Promise<RestoreSession> {
  const session = await store.openRestore({ attemptId, replace: true });
  const writer = await session.openWriter();
  await writer.write(makeBatch(messagesOf(count)));
  await writer.end();
  for (const [table, values] of Object.entries(ROWS)) {
    await session.writeCompanion({ table, role: table === 'emt_streams' ? 'streams' : 'progress', values });
  }
  await session.finishLoad();
  return session;
}

const ROWS: Readonly<Record<string, Record<string, string>>> = {
  emt_streams: {
    ...{ stream_id: 'cart-1', stream_position: '99', partition: 'tenant', stream_type: 'cart' },
    ...{ stream_metadata: '{}', is_archived: 'false' },
  },
  emt_processors: {
    ...{ processor_id: 'q', partition: 'tenant', version: '1', status: 'stopped' },
    ...{ last_processed_checkpoint: '0000000000000000009', last_processed_transaction_id: '800' },
  },
};

if (import.meta.main) {
  const [address, stage] = process.argv.slice(2);
  const store = openPostgresStore(address!);
  setInterval(() => undefined, 1000);
  if (stage === 'loading') {
    const session = await store.openRestore({ attemptId: `killed-${stage}`, replace: true });
    await (await session.openWriter()).write(makeBatch(messagesOf(5000)));
    console.log('there');
  } else {
    const session = await loadTenant(store, `killed-${stage}`, 500);
    console.log('there');
    if (stage === 'publishing') await session.publish();
  }
}
