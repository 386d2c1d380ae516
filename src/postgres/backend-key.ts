import type pg from 'pg';

/**
 * The number by which a client could cancel. From a server it is that of its process; a pooler tells each client one of its own, which
 * no process of the server has: so a pooler is known, whatever it is.
 */
export function keyNumber(client: pg.Client): number {
  return (client as pg.Client & { readonly processID: number | null }).processID ?? 0;
}
