/** A process that takes a lease again and again until it is killed, and fails when it meets another holder. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/cli/wire.ts';
import { isBackupError } from '../../src/core/errors.ts';
import { withLease } from '../../src/upkeep/lease.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';

const [folder, place] = process.argv.slice(2);
const vault = openDirectoryVault(folder!);
await vault.open({ create: true });

for (;;) {
  try {
    const ports = { clock: systemClock, holder: String(process.pid) };
    await withLease(vault, 'upkeep', ports, work, { ttlMs: 300, waitMs: 5000 });
  } catch (error) {
    if (!isBackupError(error, 'lease_held')) throw error;
  }
}

/** In one place at a time: what is there already is another holder's, who must be dead. */
async function work(): Promise<void> {
  try {
    writeFileSync(place!, String(process.pid), { flag: 'wx' });
  } catch {
    const other = Number(readFileSync(place!, 'utf8'));
    if (isAlive(other)) throw new Error(`${process.pid} holds it while ${other} does`);
    writeFileSync(place!, String(process.pid));
  }
  process.stdout.write('held\n');
  await sleep(20 + Math.random() * 60);
  rmSync(place!);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
