import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { digestSql, type ProvenStore } from '../harness/proven-store.ts';
import type { AppendSome, SlowWriters } from '../harness/slow-writers.ts';
import { added, appendRaw, openEmmett } from './emmett.ts';
import { installMessageDb } from './message-db.ts';

/** Stores of others put to the proof of exact incrementals: each is written to by its own functions. */

const appendToEmmett: AppendSome = async (client, { stream, from, ids }) => {
  const { success } = await appendRaw(client, stream, ids, { expected: from - 1 });
  assert.ok(success, 'only its writer appends to a stream');
};

/** Writers that commit late, or not at all, by Emmett itself: its inline projections run before it commits. */
async function startEmmettWriters(address: string, maxDelayMs: number): Promise<SlowWriters> {
  const handle = async (): Promise<void> => {
    await sleep(Math.random() * maxDelayMs);
    if (Math.random() < 0.1) throw new Error('not to be committed');
  };
  const projection = { name: 'late', canHandle: ['ProductAdded'], handle };
  const store = await openEmmett(address, { projections: [{ type: 'inline', projection }] });
  const state = { committed: 0, stopping: false };
  const run = randomUUID();
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; !state.stopping; i += 1) {
      const events = Array.from({ length: 1 + (i % 3) }, (_, n) => added(n));
      // Two writers share streams: some appends are conflicts.
      const appended = store.appendToStream(`cart-${run}-${writer % 2}-${i % 5}`, events);
      if (await appended.then(Boolean, isMeant)) state.committed += events.length;
    }
  };
  const running = Promise.all([0, 1, 2, 3].map(write));
  running.catch(() => undefined);
  return {
    committed: () => state.committed,
    stop: async () => {
      state.stopping = true;
      await running;
      await store.close();
    },
  };
}

function isMeant(error: unknown): false {
  if (/not to be committed|Expected version/.test(String(error))) return false;
  throw error;
}

const IN_EMMETT = { table: 'emt_messages', id: 'message_id' };

export const PROVEN_EMMETT: ProvenStore = {
  make: async (server) => {
    const address = server.address(await server.createDatabase());
    await (await openEmmett(address)).close();
    return address;
  },
  append: appendToEmmett,
  positions: false,
  alsoWrites: startEmmettWriters,
  naive: {
    ...{ events: 'emt_messages', id: 'message_id' },
    questions: [
      { ...IN_EMMETT, name: 'created > last', column: 'created', type: 'timestamptz', max: 'max(created)' },
      {
        ...{ ...IN_EMMETT, name: 'global_position > last', column: 'global_position' },
        ...{ type: 'bigint', max: 'max(global_position)' },
      },
    ],
  },
  // What a restore rewrites is left out, but not its order.
  rows: digestSql(`SELECT (to_jsonb(m) - 'transaction_id' - 'global_position')::text,
      (SELECT to_jsonb(s) FROM emt_streams s WHERE s.stream_id = m.stream_id) AS stream
    FROM emt_messages m ORDER BY transaction_id, global_position`),
};

const appendToMessageDb: AppendSome = async (client, { stream, from, ids }) => {
  await client.query('SET search_path = message_store, public');
  await client.query(
    `SELECT write_message(id, $2, 'Slow', jsonb_build_object('n', n), '{"by": "proof"}', $3::bigint + n - 3)
       FROM unnest($1::text[]) WITH ORDINALITY AS new (id, n)`,
    [ids, stream, from],
  );
};

const IN_MESSAGES = { table: 'message_store.messages', id: 'id' };

export const PROVEN_MESSAGE_DB: ProvenStore = {
  make: async (server) => {
    const name = await server.createDatabase();
    await installMessageDb(server, name);
    return server.address(name);
  },
  append: appendToMessageDb,
  positions: false,
  naive: {
    ...{ events: 'message_store.messages', id: 'id' },
    questions: [
      { ...IN_MESSAGES, name: 'time > last', column: 'time', type: 'timestamp', max: 'max(time)' },
      {
        ...{ ...IN_MESSAGES, name: 'global_position > last', column: 'global_position' },
        ...{ type: 'bigint', max: 'max(global_position)' },
      },
    ],
  },
  rows: digestSql('SELECT * FROM message_store.messages ORDER BY global_position'),
};
