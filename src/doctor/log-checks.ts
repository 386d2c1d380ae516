import type { FeedState } from '../core/change-feed.ts';
import type { StoreKind } from '../core/event-store.ts';
import type { Obstacle } from '../core/examination.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import { formatBytes, formatDuration, formatInstant, plural } from '../core/units.ts';
import type { LogSurvey } from '../recovery/survey.ts';
import { newestSpan, type SpanFacts } from '../recovery/windows.ts';
import { isCarriedOn } from './backup-checks.ts';
import { bad, type Check, good, skipped, warn } from './check.ts';
import { told } from './store-checks.ts';

export interface LogFacts {
  /** Null when the vault could not be looked at. */
  readonly survey: Pick<LogSurvey, 'spans' | 'windows' | 'gaps' | 'problems'> | null;
  /** Null when the store could not be looked at. */
  readonly store: StoreSide | null;
  readonly nowMs: number;
}

interface StoreSide {
  /** Null when a right is missing to tell. */
  readonly kind: StoreKind | null;
  /** Null when the store keeps nothing for a log. */
  readonly feed: FeedState | null;
  readonly obstacles: readonly Obstacle[];
}

const NO_STORE = 'the store could not be looked at';
const NO_VAULT = 'the vault could not be looked at';
const NO_LOG = 'no change log is kept: recovery is possible to the backups alone';

export function checkLogs(facts: LogFacts): Check[] {
  return [checkFollowing(facts), checkLog(facts), checkCapture(facts), checkStoreRoom(facts)];
}

/** PostgreSQL keeps a slot for a log; SQLite has all events anyway. */
function keepsSlot(feed: FeedState | null): feed is FeedState & { readonly retainedBytes: number } {
  return feed !== null && feed.retainedBytes !== null;
}

function isWanted({ survey, store }: LogFacts): boolean {
  const isInVault = survey !== null && (survey.spans.length > 0 || survey.problems.length > 0);
  return isInVault || (store !== null && keepsSlot(store.feed));
}

function checkFollowing(facts: LogFacts): Check {
  const name = 'rights to follow';
  if (facts.store === null) return skipped(name, NO_STORE);
  const { obstacles, feed } = facts.store;
  const [message, hint] = told(obstacles);
  if (message === '') return good(name, 'commits can be followed');
  // Whoever archives has a role of its own, as it should be.
  if (feed !== null && obstacles.every(({ isOfRole }) => isOfRole === true)) {
    if (feed.isRead) return good(name, 'another role follows the commits; this one may not');
    const way = `if another role archives, run the doctor as that one${hint === null ? '' : `; else ${hint}`}`;
    return warn(name, `this role may not follow the commits: ${message}`, way);
  }
  if (isWanted(facts)) return bad(name, 'store_refused', message, hint);
  return skipped(name, `${NO_LOG}, and none can be begun: ${message}`, hint);
}

function checkLog(facts: LogFacts): Check {
  const name = 'change log';
  if (facts.survey === null) return skipped(name, NO_VAULT);
  if (!isWanted(facts)) return skipped(name, NO_LOG, '`eventcore archive` keeps one');
  const { spans, windows, gaps, problems } = facts.survey;
  if (problems.length > 0) {
    const more = problems.length === 1 ? '' : `, and ${plural(problems.length - 1, 'problem')} more`;
    return bad(
      name,
      'damaged',
      `${problems[0]}${more}`,
      '`eventcore verify` names them all; take a new backup',
    );
  }
  const newest = newestSpan(spans);
  if (newest === null) {
    const hint =
      'name the vault of that log (is it mounted?), or `eventcore archive --drop-slot` when it is no longer wanted';
    return bad(name, 'feed_lost', 'the store keeps changes for a log, and in this vault there is none', hint);
  }
  const until = formatTime(newest.until);
  const held = `holds all until ${formatInstant(until)}`;
  if (newest.span.from === newest.span.to && gaps.length === 0)
    return good(name, `${held}: nothing since it began`);
  if (!isCarriedOn({ spans, windows }))
    return warn(name, `${held}, but carries on no backup`, '`eventcore backup incremental` gives it one');
  if (gaps.length > 0) {
    const last = gaps.at(-1)!;
    return warn(
      name,
      `${held}, with ${plural(gaps.length, 'gap')} that no recovery crosses: ${last.message}`,
      'older instants before a gap can still be recovered; `eventcore list` shows which',
    );
  }
  return good(name, `${held}, without a gap`);
}

/** What was committed this long ago should be in the vault. */
const LATE_MS = 60_000;

function checkCapture(facts: LogFacts): Check {
  const name = 'capture';
  const { survey, store, nowMs } = facts;
  if (store === null) return skipped(name, NO_STORE);
  if (survey === null) return skipped(name, NO_VAULT);
  if (!isWanted(facts)) return skipped(name, NO_LOG);
  const newest = newestSpan(survey.spans);
  if (newest === null) return skipped(name, 'there is no log in the vault to compare with');
  if (store.kind !== null && newest.source.kind !== store.kind) {
    return warn(name, `the log is one of a ${newest.source.kind} store`, 'name the store that the log is of');
  }
  const { feed } = store;
  if (feed === null)
    return warn(name, 'the store keeps nothing for the log: what comes now will be behind a gap', START);
  if (keepsSlot(feed) && feed.acknowledged === null) {
    const message = 'the store has thrown away what it kept for the log: what comes now is behind a gap';
    return bad(name, 'feed_lost', message, `${START}, and takes a new backup`);
  }
  return compareEnds(feed, newest, nowMs);
}

const START = '`eventcore archive` goes on with the log';

function compareEnds(feed: FeedState, newest: SpanFacts, nowMs: number): Check {
  const name = 'capture';
  const isSlot = keepsSlot(feed);
  const behind = feed.position > newest.span.to ? feed.position - newest.span.to : 0n;
  const lateMs = behind === 0n ? 0 : Math.max(0, Number(timeFromUnixMs(nowMs) - newest.until) / 1000);
  const amount = isSlot ? formatBytes(Number(behind)) : plural(Number(behind), 'event');
  const said =
    behind === 0n ? 'the log has everything' : `the log is ${amount} and ${formatDuration(lateMs)} behind`;
  if (feed.isRead)
    return lateMs > LATE_MS
      ? warn(name, `${said}, though an archiver runs`, 'see what the archiver says')
      : good(name, `${said}; an archiver runs`);
  // Whether another process reads a file cannot be told; that nothing is late can.
  if (!isSlot && lateMs <= LATE_MS) return good(name, said);
  return warn(name, `${said}, and nobody captures`, START);
}

/** Part of what a store may keep from which on somebody should look. */
const SCARCE = 0.25;
/** So much kept for nobody is on its way to a full disk. */
const MUCH_BYTES = 1e9;

function checkStoreRoom({ store }: LogFacts): Check {
  const name = 'store room for the log';
  if (store === null) return skipped(name, NO_STORE);
  const { feed } = store;
  if (!keepsSlot(feed)) return skipped(name, 'the store keeps nothing for the log but its events');
  const { retainedBytes, spareBytes, isRead } = feed;
  const kept = `the store keeps ${formatBytes(retainedBytes)} for the log`;
  const drain = 'start `eventcore archive`, or see why it does not keep up';
  if (spareBytes === null) {
    const endless = `${kept}, and has no limit but its disk, whose free space a server does not tell`;
    const hint = 'max_slot_wal_keep_size sets a limit, behind which the log gets a gap';
    if (retainedBytes > MUCH_BYTES) {
      return isRead
        ? warn(name, endless, `${drain}; ${hint}`)
        : bad(name, 'store_refused', endless, `${drain}; ${hint}`);
    }
    return isRead ? good(name, endless) : warn(name, endless, `${drain}; ${hint}`);
  }
  const bounded = `${kept}, and may keep ${formatBytes(spareBytes)} more`;
  if (spareBytes < SCARCE * (retainedBytes + spareBytes)) {
    return bad(
      name,
      'store_refused',
      `${bounded}: behind that it is thrown away`,
      `${drain}, or raise max_slot_wal_keep_size`,
    );
  }
  return good(name, bounded);
}
