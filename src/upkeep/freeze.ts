import type { Clock } from '../core/clock.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { FREEZE_PREFIX, type Freeze, readFreezes, releaseMark, writeFreeze } from '../format/keep-marks.ts';

interface FreezePorts {
  readonly vault: Vault;
  readonly clock: Clock;
}

/** From now on nothing is removed from the vault by a rule, nor joined. One that stands already stays as well. */
export async function freeze(
  { vault, clock }: FreezePorts,
  { reason, software }: Pick<Freeze, 'reason' | 'software'>,
): Promise<Freeze> {
  const mark: Freeze = { id: clock.uuid(), reason, createdAt: nowText(clock), software };
  await writeFreeze(vault, mark);
  return mark;
}

/** Ends every freeze of the vault. Gives those that stood. */
export async function unfreeze({ vault, clock }: FreezePorts, software: string): Promise<Freeze[]> {
  const marks = await readFreezes(vault);
  for (const { id } of marks) {
    await releaseMark(vault, FREEZE_PREFIX, id, { releasedAt: nowText(clock), software });
  }
  return marks;
}

function nowText(clock: Clock): string {
  return formatTime(timeFromUnixMs(clock.now()), 3);
}
