import type { Socket } from 'node:net';
import type pg from 'pg';

/** A server that still answers has ended the connection long before that. */
const GOODBYE_MS = 1000;

/**
 * Ends a connection politely, and cuts it where no answer comes: behind a network that is cut it would be waited for until the system gives
 * up, a quarter of an hour.
 */
export async function sayGoodbye(client: pg.Client): Promise<void> {
  const stream = client.connection.stream as Socket;
  // Whoever waits for it must not find the process gone before; whoever does not takes that back.
  stream.ref();
  const late = setTimeout(() => stream.destroy(), GOODBYE_MS).unref();
  try {
    await client.end();
  } catch {
    stream.destroy();
  } finally {
    clearTimeout(late);
  }
}
