import { formatBytes, plural } from '../core/units.ts';
import type { VaultTraits } from '../core/vault.ts';
import { DAY_MS, formatSpan } from '../policy/duration.ts';
import { bad, type Check, good, skipped, warn } from './check.ts';
import { DRILL_CHECKS } from './drill-checks.ts';
import { OBJECTIVE_CHECKS } from './objective-checks.ts';
import { SIGNATURE_CHECKS } from './signature-checks.ts';
import { checkClock } from './store-checks.ts';
import type { Finding, VaultProbe } from './vault-probe.ts';
import { VERIFICATION_CHECKS } from './verification-checks.ts';

export const PROMISE_CHECKS = [
  'vault',
  'vault writes',
  'vault reads',
  'vault listing',
  'vault removal',
  'vault traits',
  'vault clock',
] as const;
export const VAULT_PROBE_CHECKS = [...PROMISE_CHECKS, 'vault room'] as const;
export const VAULT_CHECKS = [
  ...VAULT_PROBE_CHECKS,
  'newest backup',
  'manifests',
  ...OBJECTIVE_CHECKS,
  'killed backups',
  ...VERIFICATION_CHECKS,
  'keys',
  ...SIGNATURE_CHECKS,
  ...DRILL_CHECKS,
] as const;

/** `keptMs`: after how long nothing is kept in this vault any more, as far as a policy says; null when that is not known. */
export function checkProbe(probe: VaultProbe, address: string, keptMs: number | null = null): Check[] {
  return [
    good('vault', `${address} can be reached and written`),
    checkPromise(
      'vault writes',
      probe.writes,
      address,
      'a name is written once, whole, by one of many at once',
    ),
    checkPromise('vault reads', probe.reads, address, 'what was written reads back, in any part'),
    checkPromise('vault listing', probe.listing, address, 'what was written is listed at once and in order'),
    checkRemoval(probe, address),
    checkTraits(probe.traits, keptMs),
    checkClock('vault clock', 'the vault', probe.clockAheadMs),
  ];
}

function checkPromise(name: string, finding: Finding, address: string, kept: string): Check {
  if (finding === null)
    return skipped(name, 'what is written there is archived at once, and read only when asked for');
  if (finding.broken.length === 0) return good(name, kept);
  return bad(
    name,
    'vault_refused',
    `${address}: ${finding.broken.join('; ')}`,
    'backups are not safe there: use another place, or mount it otherwise',
  );
}

/** Not to be able to remove is no fault of a host that only adds: who breaks into it cannot remove either. */
function checkRemoval({ removal, leftovers, left }: VaultProbe, address: string): Check {
  const name = 'vault removal';
  if (removal === null) {
    return warn(
      name,
      `this user may not remove objects: backups can be added and not removed; ${plural(left, 'object')} of this look stay`,
      'right for a host that only takes backups; run `eventcore prune`, and now and then `eventcore doctor`, where objects may be removed',
    );
  }
  const pieces =
    leftovers === null || leftovers === 0
      ? ''
      : `; ${plural(leftovers, 'leftover')} of killed writers were removed`;
  return checkPromise(name, removal, address, `what was removed is gone${pieces}`);
}

function checkTraits({ lock, keepsVersions, createOnly }: VaultTraits, keptMs: number | null): Check {
  const name = 'vault traits';
  const versions = keepsVersions ? 'versions are kept' : 'no versions are kept';
  const names =
    createOnly === 'exact'
      ? 'the place itself keeps a name from being written twice'
      : 'claims keep a name from being written twice, which only this program respects';
  if (lock === null) return good(name, `objects are not locked, ${versions}, ${names}`);
  const message = `objects are locked for ${plural(lock.days, 'day')} (${lock.mode}), ${versions}, ${names}`;
  if (keptMs === null) return good(name, message);
  const lockMs = lock.days * DAY_MS;
  if (lockMs > keptMs) {
    return warn(
      name,
      `${message}; the policy keeps ${formatSpan(keptMs)}`,
      '`eventcore prune` is refused until locks end: lock no longer than the retention',
    );
  }
  return lockMs < keptMs
    ? warn(
        name,
        `${message}; the policy keeps ${formatSpan(keptMs)}`,
        'after the lock whoever has the rights can remove what the policy keeps: lock as long as the retention',
      )
    : good(name, message);
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
