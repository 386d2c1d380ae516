import type { Alert } from '../core/alert.ts';
import { alertKey, type OwedNotice } from '../core/monitor-state.ts';
import { ELSEWHERE } from './alerts.ts';
import { BLIND_CHECK } from './blind.ts';

export interface AlertSubject {
  /** The address of the store, without a password. */
  readonly subject: string;
  /** What this run says of a key, where it found it: never a stream's name. */
  readonly details: ReadonlyMap<string, readonly string[]>;
}

/** A notice in words. It names no stream and shows no payload: alerts go to places that events must not. */
export function alertOfNotice(notice: OwedNotice, { subject, details }: AlertSubject): Alert {
  const { id, check, place, state, severity, findings, events, since, at } = notice;
  const key = alertKey(notice);
  const isBlind = check === BLIND_CHECK;
  return {
    ...{ id, key, state, severity, subject, since, at },
    title: isBlind ? blindTitle(place, state) : title(notice),
    text: [
      ...(isBlind ? blindText(place, notice) : text(notice)),
      ...(state === 'resolved' ? [] : (details.get(key) ?? [])),
    ].join('\n'),
    facts: { check, place, findings, events },
  };
}

function title({ check, place, state, severity }: OwedNotice): string {
  const what = severity === 'critical' ? 'damage' : 'risk';
  return state === 'resolved' ? `over: ${check}, ${whereOf(place)}` : `${what}: ${check}, ${whereOf(place)}`;
}

/** Where something was found, in words. */
export function whereOf(place: string): string {
  if (place === 'store') return 'in the store';
  if (place === ELSEWHERE) return 'at many places';
  return place.startsWith('object ') ? 'in the schema' : `in ${place} of the sweep`;
}

function text({ check, place, state, severity, findings, events, since }: OwedNotice): string[] {
  if (state === 'resolved') {
    return [
      `What ${check} found ${whereOf(place)} since ${since} is no more: it was looked at again and is sound.`,
    ];
  }
  const many = `${findings} ${findings === 1 ? 'finding' : 'findings'}${events > 0 ? `, about ${events} ${events === 1 ? 'event' : 'events'}` : ''}`;
  return [
    `The check ${check} found ${severity === 'critical' ? 'damage' : 'a risk'} ${whereOf(place)}: ${many}, since ${since}.`,
    '`eventcore monitor --once` names what it is; `eventcore monitor --once --repair` shows what can be repaired, and how.',
  ];
}

export interface Blindness {
  readonly what: string;
  readonly over: string;
  readonly way: string;
}

const BLIND: Readonly<Record<string, Blindness>> = {
  store: {
    what: 'the store cannot be looked at',
    over: 'the store can be looked at again',
    way: 'See that it runs, and that the monitor may read it: `eventcore doctor`.',
  },
  vault: {
    what: 'the vault cannot be used',
    over: 'the vault can be used again',
    way: 'See that it is there, and that the monitor may use it: `eventcore doctor`.',
  },
  comparison: {
    what: 'events are held against no backup',
    over: 'events are held against the newest backup again',
    way: 'There is none that can be opened here: take one (`eventcore backup full`), or give the monitor an identity.',
  },
  replication: {
    what: 'replication has lagged for so long that nothing was looked at',
    over: 'replication has caught up',
    way: 'See why the standby is behind, or raise `monitor.max_replication_lag`.',
  },
};

/** What could not be looked at, in words, by its cause. */
export function blindOf(place: string): Blindness {
  return (
    BLIND[place] ?? {
      what: `${place} fails`,
      over: `${place} works again`,
      way: '`eventcore monitor --once` says why. Until then nobody would see what it looks for.',
    }
  );
}

function blindTitle(place: string, state: Alert['state']): string {
  const { what, over } = blindOf(place);
  return state === 'resolved' ? `over: ${over}` : `the monitor is blind: ${what}`;
}

function blindText(place: string, { state, since }: OwedNotice): string[] {
  const { what, over, way } = blindOf(place);
  return state === 'resolved'
    ? [`Since ${since} it was so that ${what}. Now ${over}.`]
    : [`The monitor is blind: ${what}.`, way];
}
