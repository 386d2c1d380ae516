import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { JobName } from '../../src/core/job.ts';
import { freePort } from '../harness/free-port.ts';

/** Where the daemon of a protected shop listens, as pages show it. */
export const DAEMON_ADDRESS = '127.0.0.1:8321';

const CONFIG = `# The shop's events, backed up beside them and in another region.
store: sqlite:./shop.db
primary:
  region: us-east-1
  storage: ./backups
  schedule: "*/15 * * * *"
  retention: 30d
replicas:
  - { region: us-west-2, storage: ./us-west-2, sync_schedule: "30 * * * *" }
objectives: { rpo: 30m, region_rpo: 30h, verified_within: 30d, rto: 2h, drilled_within: 8d }
drill: { target: sqlite }
serve: { listen: "${DAEMON_ADDRESS}" }
`;

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const HISTORY = [
  'demo --fill sqlite:./shop.db',
  'backup full',
  'archive --once',
  'demo --fill sqlite:./shop.db --events 500',
  'archive --once',
  'backup incremental',
  'sync',
  'drill',
];

/**
 * A store as it is found on a day like others: `eventcore.config.yaml`, `shop.db`, in the vault `backups` a full and an incremental backup and
 * a change log, all of that in `us-west-2` as well, a drill that passed and the first run of a daemon.
 * Pages that say what to do when something is wrong begin with it. Returns the folder.
 */
export async function protectShop(folder: string): Promise<string> {
  await mkdir(folder);
  await writeFile(join(folder, 'eventcore.config.yaml'), CONFIG);
  for (const line of HISTORY) {
    await promisify(execFile)(process.execPath, [MAIN, ...line.split(' ')], { cwd: folder, env: bare() });
  }
  const address = `127.0.0.1:${await freePort()}`;
  const served = CONFIG.replace(`"${DAEMON_ADDRESS}"`, `"${address}", jobs: { incremental: off, sync: off }`);
  await writeFile(join(folder, 'eventcore.config.yaml'), served);
  const stop = await serveShop(folder, address, ['doctor']);
  await stop();
  return folder;
}

/** A copy of such a folder, in which a daemon listens at another address. */
export async function settleShop(shop: string, folder: string, address: string): Promise<void> {
  await cp(shop, folder, { recursive: true, preserveTimestamps: true });
  await writeFile(join(folder, 'eventcore.config.yaml'), CONFIG.replace(DAEMON_ADDRESS, address));
}

/** A daemon over it, in which these jobs have run. Returns what stops it. */
export async function serveShop(
  folder: string,
  address: string,
  jobs: readonly JobName[] = ['incremental', 'sync'],
): Promise<() => Promise<void>> {
  const daemon = spawn(process.execPath, [MAIN, 'serve'], { cwd: folder, env: bare(), stdio: 'ignore' });
  const ended = once(daemon, 'exit');
  while (!(await haveRun(jobs, address))) {
    if (daemon.exitCode !== null) throw new Error('the daemon of the page has ended');
    await sleep(POLL_MS);
  }
  return async () => {
    daemon.kill('SIGTERM');
    await ended;
  };
}

const POLL_MS = 300;

async function haveRun(jobs: readonly JobName[], address: string): Promise<boolean> {
  try {
    const metrics = await (await fetch(`http://${address}/metrics`)).text();
    const succeeded = (job: JobName) =>
      new RegExp(`^eventcore_job_runs_total\\{.*"${job}",state="succeeded"\\} [1-9]`, 'm');
    return jobs.every((job) => succeeded(job).test(metrics));
  } catch {
    return false; // It does not listen yet.
  }
}

/** Nothing of this process's environment says what the commands do. */
function bare(): Record<string, string> {
  return { PATH: dirname(process.execPath), HOME: import.meta.dirname, TZ: 'UTC' };
}
