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
      ...(isBlind ? blindText(place, state) : text(notice)),
      ...(state === 'resolved' ? [] : (details.get(key) ?? [])),
    ].join('\n'),
    facts: { check, place, findings, events },
  };
}

function title({ check, place, state, severity }: OwedNotice): string {
  const what = severity === 'critical' ? 'damage' : 'risk';
  return state === 'resolved' ? `over: ${check}, ${whereOf(place)}` : `${what}: ${check}, ${whereOf(place)}`;
}

function whereOf(place: string): string {
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

const BLIND: Readonly<Record<string, readonly [string, string]>> = {
  store: [
    'the store cannot be reached',
    'See that it runs, and that the monitor may read it: `eventcore doctor`.',
  ],
  vault: [
    'the vault cannot be reached',
    'See that it is there, and that the monitor may use it: `eventcore doctor`.',
  ],
  comparison: [
    'events are held against no backup',
    'There is none that can be opened here: take one (`eventcore backup full`), or give the monitor an identity.',
  ],
  replication: [
    'replication has lagged for so long that no check was made',
    'See why the standby is behind, or raise `monitor.max_replication_lag`.',
  ],
};

function blindOf(place: string): readonly [string, string] {
  return (
    BLIND[place] ?? [
      `${place} fails`,
      '`eventcore monitor --once` says why. Until then nobody would see what it looks for.',
    ]
  );
}

function blindTitle(place: string, state: Alert['state']): string {
  const [what] = blindOf(place);
  return state === 'resolved'
    ? `the monitor sees again: no longer so that ${what}`
    : `the monitor is blind: ${what}`;
}

function blindText(place: string, state: Alert['state']): string[] {
  const [what, way] = blindOf(place);
  return state === 'resolved'
    ? [`It was so that ${what}; that is over.`]
    : [`The monitor is blind: ${what}.`, way];
}
