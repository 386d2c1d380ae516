import type { RegionServer } from '../core/disaster-ports.ts';
import { BackupError } from '../core/errors.ts';
import { pause } from '../core/pause.ts';
import { whyNot } from './reason.ts';
import { within } from './within.ts';

/** How a guard, or what keeps watch over it, makes sure that nobody writes. */

/** Of the guard's own fence. Others may stand beside it, and are not taken back by the guard. */
export const GUARD_MARK = 'guard';

/** The server's process, on the guard's own host: the last resort where its door cannot be shut from inside. */
export interface Postmaster {
  isRunning(): boolean;
  /** Ends it at once, as a crash would: what was acknowledged stays. Resolves when it is gone. Throws `fence_failed`. */
  stop(): Promise<void>;
}

export interface ClosePorts {
  readonly server: RegionServer;
  /** Null where nobody may end the server. */
  readonly postmaster: Postmaster | null;
  readonly tell: (message: string) => void;
}

export interface CloseOptions {
  /** For one attempt to fence. */
  readonly fenceMs: number;
  /** After this a server that cannot be fenced is ended, where that is allowed. */
  readonly patienceMs: number;
  /** Once it has fired, it is tried some more times, and not for ever. */
  readonly signal?: AbortSignal;
}

const RETRY_MS = 200;
const MOST_RETRY_MS = 2000;
const LAST_TRIES = 10;

/**
 * Returns when nobody can write: the fence stands, it is a standby, or the server does not run. Throws `fence_failed` where that cannot be
 * had, and somebody wants it to end.
 */
export async function close(ports: ClosePorts, options: CloseOptions): Promise<void> {
  const { server, postmaster, tell } = ports;
  const beganAtMs = performance.now();
  for (let tries = 1, last = 0; ; tries += 1) {
    const fenced = await within(options.fenceMs, undefined, (signal) => server.fence(GUARD_MARK, { signal }));
    if (fenced.kind === 'done' || (await isHarmless(ports, options.fenceMs))) return;
    const reason = `${server.address} cannot be fenced: ${whyNot(fenced)}`;
    if (tries === 1) tell(reason);
    const isPatient = performance.now() - beganAtMs < options.patienceMs;
    if (postmaster !== null && !isPatient && (await end(postmaster, tell))) return;
    last += options.signal?.aborted === true ? 1 : 0;
    if (last >= LAST_TRIES) {
      throw new BackupError('fence_failed', reason, {
        hint: 'stop the server, or cut it off: nobody keeps it from being written to',
      });
    }
    await pause(Math.min(RETRY_MS * tries, MOST_RETRY_MS));
  }
}

/** What a standby replays, or a server that does not run, nobody writes. */
async function isHarmless({ server, postmaster }: ClosePorts, probeMs: number): Promise<boolean> {
  if (postmaster !== null && !postmaster.isRunning()) return true;
  const probed = await within(probeMs, undefined, (signal) => server.probe({ signal }));
  return probed.kind === 'done' && probed.result.role === 'standby';
}

async function end(postmaster: Postmaster, tell: (message: string) => void): Promise<boolean> {
  tell('the server is ended, since it cannot be fenced');
  const ended = await within(10_000, undefined, () => postmaster.stop());
  if (ended.kind !== 'done') tell(`the server cannot be ended: ${whyNot(ended)}`);
  return ended.kind === 'done';
}
