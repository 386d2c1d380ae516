/** The part of a .cpuprofile file that says where time went (the DevTools protocol's Profiler.Profile). */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** Ids of nodes, one for each look at the stack. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** A function, and the time that was spent in itself, without what it called. */
export interface SelfTime {
  readonly name: string;
  readonly place: string;
  readonly seconds: number;
}

/** Functions by self time, the longest first. A thread that waits is in `(idle)`. */
export function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): SelfTime[] {
  const keys = new Map(nodes.map(({ id, callFrame }) => [id, frameOf(callFrame)]));
  const times = new Map<string, SelfTime>();
  for (const [i, sample] of samples.entries()) {
    const { name, place } = keys.get(sample)!;
    const key = `${name} ${place}`;
    const seconds = (times.get(key)?.seconds ?? 0) + (timeDeltas[i] ?? 0) / 1e6;
    times.set(key, { name, place, seconds });
  }
  return [...times.values()].sort((a, b) => b.seconds - a.seconds);
}

function frameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): {
  name: string;
  place: string;
} {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return { name, place: '' };
  // The last two parts tell: dist/format/columns.js, node_modules/pg/lib/client.js, node:internal/streams/writable.
  const path = url.split('/').slice(-2).join('/');
  return { name, place: `${path}:${lineNumber + 1}` };
}

/** The time in which the thread did anything. */
export function busySeconds(times: readonly SelfTime[]): number {
  return times.reduce((sum, { name, seconds }) => (name === '(idle)' ? sum : sum + seconds), 0);
}
