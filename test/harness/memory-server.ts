import type { ServerState } from '../../src/core/disaster.ts';
import type { RegionServer } from '../../src/core/disaster-ports.ts';
import { BackupError } from '../../src/core/errors.ts';

/** A server in memory, which does to its state what the port says; tests set the rest. */
export interface MemoryServer {
  readonly server: RegionServer;
  state: ServerState;
  /** Of the fences that stand. */
  readonly marks: Set<string>;
  /** How it answers: `hangs` never does, `away` throws. */
  manner: 'well' | 'hangs' | 'away' | 'refuses';
  /** What was asked of it, oldest first. */
  readonly calls: string[];
}

export function memoryServer(
  address: string,
  state: Partial<ServerState> = {},
  region = 'east',
): MemoryServer {
  const self: MemoryServer = {
    state: { ...PRIMARY, ...state },
    ...{ marks: new Set<string>(), manner: 'well', calls: [] },
    server: {
      ...{ region, address },
      probe: (call) => ask('probe', call, () => ({ ...self.state, isFenced: self.marks.size > 0 })),
      sample: (call) =>
        ask('sample', call, () => {
          const { role, systemIdentifier, timeline, position } = self.state;
          const sampledAt = new Date().toISOString();
          if (role === 'standby') return null;
          return {
            sampledAt,
            region,
            server: address,
            systemIdentifier,
            timeline,
            position,
            eventsInserted: null,
          };
        }),
      fence: (mark, call) =>
        ask('fence', call, () => {
          self.marks.add(mark);
          return {};
        }),
      isFenced: (mark, call) => ask('isFenced', call, () => self.marks.has(mark)),
      unfence: (call) =>
        ask('unfence', call, () => {
          if (call.mark === undefined) self.marks.clear();
          else self.marks.delete(call.mark);
        }),
      promote: (call) =>
        ask('promote', call, () => {
          self.state = { ...self.state, role: 'primary', timeline: self.state.timeline + 1 };
          return { timeline: self.state.timeline, forkLsn: null };
        }),
      follow: (_, call) => ask('follow', call, () => true),
      countStandbys: (call) => ask('countStandbys', call, () => 0),
      close: async () => {},
    },
  };
  async function ask<Result>(
    what: string,
    { signal }: { readonly signal: AbortSignal },
    answer: () => Result,
  ): Promise<Result> {
    if (self.manner === 'hangs') await new Promise(() => signal.throwIfAborted());
    if (self.manner === 'away') throw new BackupError('store_unreachable', `${address}: connection refused`);
    if (self.manner === 'refuses') throw new BackupError('store_refused', `${address}: too many clients`);
    self.calls.push(what);
    return answer();
  }
  return self;
}

/** Whether somebody could write there now. */
export function isOpen({ state, marks }: MemoryServer): boolean {
  return state.role === 'primary' && marks.size === 0;
}

const PRIMARY: ServerState = {
  ...{ role: 'primary', systemIdentifier: '7301234567890123456', timeline: 1, serverVersion: '15.20' },
  ...{ position: '0/5000028', replayed: null, isReplayPaused: false, applyDelayMs: 0, upstream: null },
  ...{ isFenced: false, clients: 0, clockAheadMs: 0 },
};
