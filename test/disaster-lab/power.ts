/**
 * node power.ts off|check DATADIR: what an operator's command to power off a machine is to a server: it works when the server does not
 * answer, and goes around the network. `off` ends every process of it; `check` says by its exit code whether it is off: 0, or 1.
 */
import { readdirSync, readlinkSync, realpathSync } from 'node:fs';

const [what, dataDir] = process.argv.slice(2);
const home = realpathSync(dataDir!);

/** Each process of PostgreSQL works in its data directory. */
function processes(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && worksIn(pid) === home);
}

function worksIn(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null;
  }
}

function off(): void {
  // The oldest one first, so that it starts no other.
  for (const pid of processes().toSorted((a, b) => a - b)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone by itself.
    }
  }
}

if (what === 'off') while (processes().length > 0) off();
else if (what === 'check') process.exitCode = processes().length === 0 ? 0 : 1;
else throw new Error('usage: power.ts off|check DATADIR');
