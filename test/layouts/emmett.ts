import { setTimeout as sleep } from 'node:timers/promises';
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import pg from 'pg';

/** A store of Emmett, made and written to by Emmett. */

type EmmettStore = ReturnType<typeof getPostgreSQLEventStore>;

type EmmettOptions = NonNullable<Parameters<typeof getPostgreSQLEventStore>[1]>;

/** Its pool is ours: those that Emmett makes may outlive the store that is closed, and fail with the server. */
export async function openEmmett(
  address: string,
  options: Pick<EmmettOptions, 'projections'> = {},
): Promise<EmmettStore> {
  const pool = new pg.Pool({ connectionString: address });
  pool.on('error', () => undefined);
  const store = getPostgreSQLEventStore(address, { ...options, connectionOptions: { pool } });
  await store.schema.migrate();
  return {
    ...store,
    close: async () => {
      await store.close();
      await pool.end();
    },
  };
}

export function added(n: number) {
  return { type: 'ProductAdded', data: { n, name: `Grüße ${n} 🙂` }, metadata: { by: 'test', n } };
}

const QUIET_MS = 600;

/** Runs a consumer until nothing more comes. Gives what it was given, as `stream@position`, in that order. */
export async function consume(store: EmmettStore, processorId: string): Promise<string[]> {
  const seen: string[] = [];
  const consumer = store.consumer();
  consumer.reactor({
    processorId,
    eachMessage: ({ metadata }) => {
      seen.push(`${metadata.streamName}@${metadata.streamPosition}`);
    },
  });
  const running = consumer.start();
  for (let before = -1; before !== seen.length; ) {
    before = seen.length;
    await sleep(QUIET_MS);
  }
  await consumer.stop();
  await running;
  return seen;
}

/** Appends by its function, in whatever transaction the client is in. */
export async function appendRaw(
  client: pg.Client,
  stream: string,
  ids: readonly string[],
  { expected = null, partition = 'emt:default' }: { expected?: number | null; partition?: string } = {},
): Promise<{ success: boolean; next_stream_position: bigint | string }> {
  const all = <Value>(value: Value): Value[] => ids.map(() => value);
  const { rows } = await client.query(
    `SELECT * FROM emt_append_to_stream($1, $2, $3, $4, $5, $6, $7, 'run', $8, $9)`,
    [
      ...[ids, ids.map((id) => JSON.stringify({ text: id })), all('{"by": "test"}')],
      ...[all('1'), all('Slow'), all('E'), stream, expected, partition],
    ],
  );
  return rows[0];
}
