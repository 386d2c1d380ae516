import type { SeenWorkQueue, WorkQueueView } from '../../daemon/work-queue-metrics.ts';
import { redactAddress } from '../address.ts';
import { type ChildResult, runChild } from '../children/command.ts';
import type { Settings } from '../config/config.ts';
import type { ServeContext } from './log.ts';

/** A store that is served: its configuration, and where that stands. */
interface Naming {
  readonly file: string;
  readonly current: { readonly settings: Pick<Settings, 'queue'> };
}

/** What is older is asked again, by the next who looks: of a queue that nobody looks at nothing is asked. */
const FRESH_MS = 15_000;
const DEADLINE_MS = 60_000;
const NICENESS = 10;
/** A fleet has one queue, or a few. */
const MOST = 16;

interface Known {
  view: WorkQueueView | null;
  askedAtMs: number;
  isAsked: boolean;
}

/** The queues that stores of a daemon name, as they were when `eventcore queue` was last asked of each; one that was not yet is left out. */
export function followWorkQueues(
  context: ServeContext,
  stores: () => readonly Naming[],
  freshMs = FRESH_MS,
): () => readonly WorkQueueView[] {
  let known = new Map<string, Known>();
  return () => {
    const named = namedQueues(context, stores());
    known = new Map(
      [...named.keys()].map((queue) => [
        queue,
        known.get(queue) ?? { view: null, askedAtMs: Number.NEGATIVE_INFINITY, isAsked: false },
      ]),
    );
    for (const [queue, file] of named) {
      const one = known.get(queue)!;
      if (!one.isAsked && performance.now() - one.askedAtMs >= freshMs) ask(context, { queue, file }, one);
    }
    return [...known.values()].flatMap(({ view }) => view ?? []);
  };
}

/** By the address that people may see: a configuration that names it. */
function namedQueues({ env }: ServeContext, stores: readonly Naming[]): Map<string, string> {
  const named = new Map<string, string>();
  for (const { file, current } of stores) {
    const address = env.EVENTCORE_QUEUE || current.settings.queue.address;
    if (address === undefined || named.size === MOST) continue;
    const shown = redactAddress(address);
    if (!named.has(shown)) named.set(shown, file);
  }
  return named;
}

function ask(
  { env, cwd, signal }: ServeContext,
  { queue, file }: { readonly queue: string; readonly file: string },
  known: Known,
): void {
  if (signal.aborted) return;
  known.isAsked = true;
  const command = { words: ['queue'], config: file, env, cwd, signal, deadlineMs: DEADLINE_MS };
  void runChild({ ...command, niceness: NICENESS }).then((result) => {
    known.view = { queue, seen: seenIn(result) };
    known.askedAtMs = performance.now();
    known.isAsked = false;
  });
}

/** Null where the command did not answer. It is this program; but another version of it may have been installed since. */
function seenIn({ exitCode, document }: ChildResult): SeenWorkQueue | null {
  if (exitCode !== 0) return null;
  const { waiting, active, dead, workers } = (document ?? {}) as Readonly<Record<string, unknown>>;
  const counts = [waiting, active, dead];
  if (!counts.every((count) => typeof count === 'number') || !Array.isArray(workers)) return null;
  const alive = (workers as { isAlive?: unknown; lanes?: unknown }[]).filter(
    ({ isAlive }) => isAlive === true,
  );
  return {
    ...{ waiting: waiting as number, active: active as number, dead: dead as number },
    workers: alive.length,
    lanes: alive.reduce((sum, { lanes }) => sum + (typeof lanes === 'number' ? lanes : 0), 0),
  };
}
