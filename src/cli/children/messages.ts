import { z } from 'zod';
import type { JobProgress } from '../../core/job.ts';
import type { LogReach } from '../../daemon/known-status.ts';

/** What a command says to the daemon that runs it, over the channel of Node between a process and its child. */
export type ChildMessage =
  | { readonly kind: 'progress'; readonly progress: JobProgress }
  | ({ readonly kind: 'log' } & LogReach);

const text = z.string().max(1000);
const count = z.number().nonnegative();

const messages = z
  .array(
    z.discriminatedUnion('kind', [
      z.object({
        kind: z.literal('progress'),
        progress: z.object({
          ...{ step: text, events: count, bytes: count },
          ...{ totalEvents: count.nullable(), totalBytes: count.nullable(), sinceMs: count, atMs: count },
        }),
      }),
      z.object({ kind: z.literal('log'), log: text, until: text }),
    ]),
  )
  .max(10);

/** None where it is something else: a child may load what sends messages of its own. */
export function readMessages(value: unknown): readonly ChildMessage[] {
  const read = messages.safeParse(value);
  return read.success ? read.data : [];
}
