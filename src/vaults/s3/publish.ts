import type { Abilities } from './abilities.ts';
import { withClaim } from './claims.ts';
import type { AskOptions, Connection } from './connection.ts';
import { isWrittenBy } from './objects.ts';

/**
 * Writes an object that nobody else may have written, by `send`, which gives it the id of this writer. Where the outcome of
 * `send` is not known (its answer was lost, and the next attempt finds the name taken) the object itself tells.
 */
export async function publish(
  connection: Connection,
  abilities: Abilities,
  { name, id }: { readonly name: string; readonly id: string },
  send: (options: AskOptions) => Promise<unknown>,
): Promise<void> {
  const sendOnce = async (options: AskOptions) => {
    try {
      await send(options);
    } catch (error) {
      // What this look meets is not what is to be reported.
      if (!(await isWrittenBy(connection, name, id).catch(() => false))) throw error;
    }
  };
  if (abilities.isExact) return sendOnce({});
  return withClaim(connection, name, (leftMs) => sendOnce({ withinMs: leftMs }));
}
