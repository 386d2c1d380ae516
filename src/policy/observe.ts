import type { Finding } from '../core/finding.ts';
import { alertKey, type OpenAlert } from '../core/monitor-state.ts';
import { ELSEWHERE, type Observation } from './alerts.ts';

/** Of one check so many places are told one by one; what is beyond is told as one: who is woken must not find a hundred messages. */
const MOST_PLACES = 3;

/** Gives a name that says nothing of what it names, and is the same each time. */
export type Digest = (name: string) => string;

/** The findings of a run by check and place. What is open already stays apart, so that it can be told from what is new. */
export function observe(
  findings: readonly Finding[],
  open: readonly OpenAlert[],
  digest: Digest,
): Observation[] {
  const seen = new Map<string, Observation>();
  const room = new Map<string, number>();
  const known = new Set(open.map(alertKey));
  for (const { check, place } of open) {
    if (place !== ELSEWHERE) room.set(check, (room.get(check) ?? MOST_PLACES) - 1);
  }
  for (const finding of findings) {
    const at = { check: finding.check, place: placeOf(finding, digest) };
    const key = alertKey(at);
    if (known.has(key) || seen.has(key)) add(seen, key, at, finding);
    else if ((room.get(at.check) ?? MOST_PLACES) > 0) {
      room.set(at.check, (room.get(at.check) ?? MOST_PLACES) - 1);
      add(seen, key, at, finding);
    } else {
      const elsewhere = { check: at.check, place: ELSEWHERE };
      add(seen, alertKey(elsewhere), elsewhere, finding);
    }
  }
  return [...seen.values()];
}

function add(
  seen: Map<string, Observation>,
  key: string,
  at: Pick<Observation, 'check' | 'place'>,
  { severity, events }: Finding,
): void {
  const before = seen.get(key);
  const isCritical = severity === 'damage' || before?.severity === 'critical';
  seen.set(key, {
    ...at,
    severity: isCritical ? 'critical' : 'warning',
    findings: (before?.findings ?? 0) + 1,
    events: (before?.events ?? 0) + events,
  });
}

export function placeOf({ place, object }: Pick<Finding, 'place' | 'object'>, digest: Digest): string {
  if (place !== null) return `${place.kind} ${place.number}`;
  return object === null ? 'store' : `object ${digest(object)}`;
}
