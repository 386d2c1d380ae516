import { formatBytes, plural } from '../cli/units.ts';
import { bad, type Check, good, skipped, warn } from './check.ts';
import { checkClock } from './store-checks.ts';
import type { VaultProbe } from './vault-probe.ts';

export const VAULT_PROBE_CHECKS = ['vault', 'vault clock', 'vault room'] as const;
export const VAULT_CHECKS = [
  ...VAULT_PROBE_CHECKS,
  'newest backup',
  'manifests',
  'killed backups',
  'keys',
] as const;

export function checkProbe({ broken, clockAheadMs }: VaultProbe, address: string): Check[] {
  return [
    broken.length === 0
      ? good('vault', 'an object can be written once, read, listed and removed')
      : bad(
          'vault',
          'vault_refused',
          `${address}: ${broken.join('; ')}`,
          'a vault must be able to: use another place, or mount it otherwise',
        ),
    checkClock('vault clock', 'the vault', clockAheadMs),
  ];
}

/** Room for the next full backup beside the newest one, and something to breathe. */
const ENOUGH = 1.2;

/** `fullBytes`: of the newest full backup, null when there is none. */
export function checkRoom(freeBytes: number | null, fullBytes: number | null): Check {
  const name = 'vault room';
  if (freeBytes === null) return skipped(name, 'the vault does not say how much may still be written');
  const free = `${formatBytes(freeBytes)} free`;
  if (fullBytes === null)
    return freeBytes === 0 ? bad(name, 'vault_full', free, FULL_HINT) : good(name, free);
  const size = `the newest full backup has ${formatBytes(fullBytes)}`;
  if (freeBytes < fullBytes)
    return bad(name, 'vault_full', `${free}: ${size}, another one has no room`, FULL_HINT);
  if (freeBytes < fullBytes * ENOUGH) return warn(name, `${free}: ${size}, another one just fits`, FULL_HINT);
  return good(name, `${free}; ${size}`);
}

const FULL_HINT = 'free some space, or move old backups elsewhere';

export interface Attempt {
  readonly backupId: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly canBeTakenUp: boolean;
}

/** What is still being written changes more often than this. */
const QUIET_MS = 60 * 60 * 1000;

export function checkAttempts(attempts: readonly Attempt[], nowMs: number): Check {
  const name = 'killed backups';
  const left = attempts.filter(({ modifiedAtMs }) => nowMs - modifiedAtMs > QUIET_MS);
  const running = attempts.length - left.length;
  const beside = running === 0 ? '' : `; ${running} written to within the last hour`;
  if (left.length === 0) return good(name, `none left anything in the vault${beside}`);
  const bytes = left.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const hint = left.some(({ canBeTakenUp }) => canBeTakenUp)
    ? '`eventcore backup full` goes on with what can be taken up; `eventcore list` says how to remove the rest'
    : '`eventcore list` says how to remove them';
  return warn(
    name,
    `${plural(left.length, 'attempt')} without a manifest, ${formatBytes(bytes)}${beside}`,
    hint,
  );
}
