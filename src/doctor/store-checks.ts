import type { StoreDescription } from '../core/event-store.ts';
import type { Obstacle, StoreExamination } from '../core/examination.ts';
import { bad, type Check, good, skipped, warn } from './check.ts';

export const STORE_CHECKS = [
  'store',
  'store contract',
  'store clock',
  'rights to back up',
  'killed restores',
] as const;

const OWN_LAYOUT = 'eventcore';

/** To stores of others. */
const NOT_DONE =
  'not done for it: change log, merging into it while it is in use, repairs in place, making its tables (docs/layouts.md)';

export function checkStore(found: StoreDescription, address: string): Check {
  const { kind, serverVersion, layout, state, table, unknownColumns = [] } = found;
  const where = table === undefined ? '' : ` in ${table}`;
  const what = `${kind} ${serverVersion}, layout ${layout}${where}`;
  if (state === 'missing') {
    const hint = 'check the address and its ?schema=; `eventcore init --create-store` makes the tables';
    return bad(
      'store',
      'not_an_event_store',
      `no event store in ${address} (${kind} ${serverVersion})`,
      hint,
    );
  }
  if (unknownColumns.length > 0) {
    const message = `${what}: the layout has no place for ${unknownColumns.join(', ')}, which no backup has`;
    const hint =
      'describe the table under `layouts:` in the configuration (docs/layouts.md): then all its columns come along';
    return warn('store', message, hint);
  }
  const isOwn = layout === OWN_LAYOUT;
  const filled = state === 'empty' ? 'without events' : 'holds events';
  return good('store', `${what}, ${filled}${isOwn ? '' : `; ${NOT_DONE}`}`);
}

/** `breaches`: what the tables lack of what keeps events as they are, or why that cannot be told. */
export function checkExamination(found: StoreExamination, breaches: readonly Obstacle[] | string): Check[] {
  return [
    ...checkPooler(found.pooler),
    checkContract(breaches),
    checkStoreClock(found.clockAheadMs),
    checkRights(found.backupObstacles),
    checkLeftovers(found.leftovers),
  ];
}

/** Where none stands before the server there is nothing to say. */
function checkPooler(pooler: StoreExamination['pooler']): Check[] {
  if (pooler === undefined) return [];
  if (pooler === 'session')
    return [good('pooler', 'a connection pooler that gives sessions: restores work through it')];
  return [
    warn(
      'pooler',
      'a connection pooler in transaction mode: backups work through it; restores, repairs and the change log need a session',
      'name the server itself for those, or a pool with pool_mode=session (docs/connections.md)',
    ),
  ];
}

function checkContract(breaches: readonly Obstacle[] | string): Check {
  if (typeof breaches === 'string') return skipped('store contract', breaches);
  if (breaches.length === 0) return good('store contract', 'what keeps events as they are is in place');
  return warn('store contract', ...told(breaches));
}

const CLOCK_LIMIT_MS = 2000;

/** Times of backups are this machine's, those of commits the store's: `restore --at` goes by both. */
function checkStoreClock(aheadMs: number | null): Check {
  if (aheadMs === null) return skipped('store clock', 'the store has no clock of its own');
  return checkClock('store clock', 'the server', aheadMs);
}

export function checkClock(name: string, whose: string, aheadMs: number): Check {
  const distance = `${(Math.abs(aheadMs) / 1000).toFixed(1)} s`;
  if (Math.abs(aheadMs) <= CLOCK_LIMIT_MS) return good(name, `within ${distance} of this machine's`);
  const way = aheadMs > 0 ? 'ahead of' : 'behind';
  return warn(name, `${whose} is ${distance} ${way} this machine`, 'let both keep time by NTP');
}

function checkRights(obstacles: readonly Obstacle[]): Check {
  if (obstacles.length === 0) return good('rights to back up', 'all tables of a backup can be read');
  return bad('rights to back up', 'store_refused', ...told(obstacles));
}

function checkLeftovers(leftovers: readonly string[]): Check {
  if (leftovers.length === 0) return good('killed restores', 'none left anything in the store');
  return warn(
    'killed restores',
    leftovers.join('; '),
    'the next restore into this store removes it, or DROP SCHEMA … CASCADE does',
  );
}

export function told(obstacles: readonly Obstacle[]): [message: string, hint: string | null] {
  const hints = obstacles.flatMap(({ hint }) => (hint === null ? [] : [hint]));
  return [obstacles.map(({ message }) => message).join('; '), hints.length === 0 ? null : hints.join('; ')];
}
