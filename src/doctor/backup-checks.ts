import { formatTime, parseTime, timeFromUnixMs } from '../core/time.ts';
import { formatDuration } from '../core/units.ts';
import type { Catalog } from '../format/catalog.ts';
import { followChain, isBroken } from '../format/chain.ts';
import type { LogSurvey } from '../recovery/survey.ts';
import { newestSpan } from '../recovery/windows.ts';
import { bad, type Check, good, skipped, warn } from './check.ts';

/** One a day, and the time that it takes. */
const STALE_MS = 26 * 60 * 60 * 1000;
/** A log carries a backup on, but the longer it is, the longer a recovery takes. */
const STALE_WITH_LOG_MS = 8 * 24 * 60 * 60 * 1000;

/** Whether the newest of the logs carries a backup on. */
export function isCarriedOn({ spans, windows }: Pick<LogSurvey, 'spans' | 'windows'>): boolean {
  const newest = newestSpan(spans);
  if (newest === null) return false;
  const until = formatTime(newest.until);
  return windows.some(({ source, to }) => source === 'log' && to >= until);
}

export interface BackupFacts {
  readonly catalog: Catalog;
  readonly nowMs: number;
  /** A log goes on from the newest backup. */
  readonly isCarriedOn: boolean;
}

export function checkBackups(facts: BackupFacts): Check[] {
  return [checkNewest(facts), checkTrust(facts.catalog)];
}

function checkNewest({ catalog, nowMs, isCarriedOn }: BackupFacts): Check {
  const name = 'newest backup';
  const newest = catalog.backups.at(-1);
  if (newest === undefined) {
    return bad(
      name,
      'no_backups',
      'there is none: nothing can be recovered',
      '`eventcore backup full` makes one',
    );
  }
  const { backupId, kind, createdAt } = newest.manifest;
  const chain = followChain(catalog, newest);
  const what = `${kind} ${backupId.slice(0, 8)}`;
  if (isBroken(chain)) {
    return bad(
      name,
      'damaged',
      `${what} cannot be used: ${chain.message}`,
      'take a new one with `eventcore backup full`, or bring the missing part from another copy of the vault',
    );
  }
  const ageMs = Number(timeFromUnixMs(nowMs) - (parseTime(createdAt) ?? 0n)) / 1000;
  const links = chain.length === 1 ? '' : `, in a chain of ${chain.length} that is whole`;
  const message = `${what}, ${formatDuration(Math.max(0, ageMs))} old${links}`;
  const limitMs = isCarriedOn ? STALE_WITH_LOG_MS : STALE_MS;
  return ageMs <= limitMs
    ? good(name, message)
    : warn(name, message, 'run `eventcore backup incremental` once a day or oftener');
}

function checkTrust({ backups, damaged }: Catalog): Check {
  const name = 'manifests';
  const unknown = damaged.filter(({ code }) => code === 'format_unknown');
  const broken = damaged.filter(({ code }) => code !== 'format_unknown');
  if (broken.length > 0) {
    const message = broken.map(({ backupId, message }) => `${backupId}: ${message}`).join('; ');
    return bad(
      name,
      'damaged',
      message,
      'take them from another copy of the vault; `eventcore verify` reads everything',
    );
  }
  if (unknown.length > 0) {
    return warn(name, `${unknown.length} of a newer program`, 'use that program to read them');
  }
  if (backups.length === 0) return skipped(name, 'there is none to read');
  return good(name, `${backups.length} can be trusted; \`eventcore verify\` reads what they name`);
}
