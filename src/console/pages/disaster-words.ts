import { html } from 'hono/html';
import type { DisasterTrigger, PrimaryFinding, ProbeOutcome, StrategyKind } from '../../core/disaster.ts';
import { formatBytes, formatDuration, plural } from '../../core/units.ts';
import type { Loss, Strategy } from '../documents/disaster.ts';
import type { Tone } from '../parts/badge.ts';
import type { Html } from '../route.ts';

/** How disasters are said. All of it is asked for by the compiler. */

export const TRIGGER_WORDS: Readonly<Record<DisasterTrigger, string>> = {
  database_failure: 'the database has failed',
  region_outage: 'a region is out',
  data_corruption: 'the data is damaged',
  security_breach: 'somebody was in',
  manual_trigger: 'somebody wants to move',
};

export const PRIMARY_WORDS: Readonly<Record<PrimaryFinding['state'], readonly [Tone, string]>> = {
  alive: ['good', 'The primary is alive'],
  dead: ['bad', 'The primary is dead: it answers nowhere'],
  disputed: ['warning', 'The primary is disputed: it is seen from some places, and not from others'],
  doubled: ['bad', 'Two servers take writes'],
  unknown: ['warning', 'Nobody knows which server the primary is'],
};

export const PROBE_WORDS: Readonly<Record<ProbeOutcome, readonly [Tone, string]>> = {
  answered: ['good', 'answered'],
  refused: ['warning', 'refused'],
  unreachable: ['bad', 'unreachable'],
  timed_out: ['bad', 'timed out'],
};

export const STRATEGY_WORDS: Readonly<Record<StrategyKind, string>> = {
  local_restore: 'restore into a clean place of the same region',
  regional_failover: 'a standby takes over',
  full_rebuild: 'rebuild in a clean place from backups and log',
  switchover: 'the primary hands over to a standby',
};

export function strategyText({ kind, targetRegion }: Strategy): Html {
  return html`<code>${kind}</code>: ${STRATEGY_WORDS[kind]}${targetRegion === undefined ? '' : `, in region ${targetRegion}`}`;
}

/** All that is known of it, and how; nothing is made a 0 of. */
export function lossText({ bytes, events, timeMs, basis }: Loss): string {
  const parts = [
    ...(bytes === null ? [] : [`${formatBytes(Number(bytes))} of log`]),
    ...(events === null ? [] : [`about ${plural(events, 'event')}`]),
    ...(timeMs === null ? [] : [`the last ${formatDuration(timeMs)}`]),
  ];
  return `${parts.length === 0 ? 'not known' : parts.join(', ')} (${basis})`;
}

/** Of an address, host and port say which server it is; other names stand as they are. */
export function placeText(name: string): string {
  if (!/^postgres(ql)?:\/\//.test(name) || !URL.canParse(name)) return name;
  return new URL(name).host || name;
}
