import type { ConsoleStore } from '../../src/console/ports.ts';
import type { StatusBackup } from '../../src/core/status.ts';
import { wobble } from './fixture-backups.ts';
import { NOW } from './fixture-jobs.ts';

/** What `restore --dry-run`, `show --stream`, `show --streams` and `diff` answer about a store of the fixtures. */

export function restoreDocument({ status }: ConsoleStore, words: readonly string[]): unknown {
  const backups = status?.backups ?? [];
  const atText = oneOf(words, '--at');
  const atMs = atText === null ? NOW : Date.parse(atText);
  const base =
    backups.findLast(({ backupId, stateAt }) => {
      const wanted = oneOf(words, '--backup');
      return wanted === null ? Date.parse(stateAt) <= atMs : backupId.startsWith(wanted);
    }) ?? null;
  if (base === null) return undefined;
  const links = chainOf(backups, base);
  const events = links.reduce((sum, link) => sum + link.events, 0);
  const common = {
    ...{ dryRun: true, backupId: base.backupId, chain: links.map(({ backupId }) => backupId) },
    target: {
      time: atText ?? base.stateAt,
      reachedLsn: '2/9C14E7D0',
      reachedTime: base.stateAt,
      transactions: null,
    },
    ...{ store: null, action: 'create' },
  };
  const streams = allOf(words, '--stream');
  if (streams.length > 0) {
    return {
      ...common,
      events: streams.length * 9,
      streams: streams.map((streamId) => ({
        streamId,
        action: 'created',
        fromVersion: 1,
        toVersion: 9,
        events: 9,
      })),
      notes: ['consumer checkpoints and command snapshots are left out: they speak of the whole store'],
    };
  }
  const isAlone =
    oneOf(words, '--backup') !== null || status!.windows.every(({ source }) => source === 'backup');
  return {
    ...common,
    ...{ events, streams: Math.round(events / 9), checkpointPolicy: 'keep', notes: [] },
    fetchBytes: links.reduce((sum, link) => sum + link.sizeBytes, 0),
    log: isAlone
      ? null
      : {
          folder: 'log/7301-1/',
          files: [{ name: '2.9C10-2.9C20.log', sizeBytes: 81_000 }],
          ...{ bytes: 81_000, eventsAtMost: 1412, removesEvents: false },
          ...{
            fromLsn: '2/9C10A0',
            cutLsn: atText === null ? null : '2/9C14E7F8',
            logEndsAt: status!.newestPoint,
          },
        },
    ...{ expectedSeconds: Math.ceil(events / 50_000), expectedEventsPerSecond: 50_000 },
    reasons: isAlone
      ? []
      : [
          `backup ${base.backupId} of ${base.stateAt} is the newest that the target can be reached from`,
          'the log of timeline 1 carries it on from 2/9C10A0',
        ],
    eventsBehind: isAlone ? null : atText === null ? 0 : Math.max(0, Math.round((NOW - atMs) / 900)),
  };
}

function chainOf(backups: readonly StatusBackup[], base: StatusBackup): StatusBackup[] {
  const own = backups.filter(({ chainId }) => chainId === base.chainId);
  return own.slice(0, own.indexOf(base) + 1);
}

function allOf(words: readonly string[], option: string): string[] {
  return words.flatMap((word, i) =>
    word === option ? [words[i + 1]!] : word.startsWith(`${option}=`) ? [word.slice(option.length + 1)] : [],
  );
}

function oneOf(words: readonly string[], option: string): string | null {
  return allOf(words, option)[0] ?? null;
}

const LAST_ID = '01a22876-6a57-7a0e-8177-b460e978d0b3';

export function streamDocument(store: ConsoleStore, streamId: string): unknown {
  const newestFirst = (store.status?.backups ?? []).slice(-14).toReversed();
  const isLost = streamId.endsWith('lost');
  const most = newestFirst.length + 3;
  const head = (lastVersion: number, at: string) => ({
    ...{ events: lastVersion, firstVersion: 1, lastVersion, lastEventId: LAST_ID, lastEventMadeAt: at },
  });
  return {
    ...{ vault: store.vault, streamId },
    history: newestFirst.map(({ backupId, kind, chainId, stateAt }, i) => ({
      ...{ backupId, kind, chainId, createdAt: stateAt, problem: null, isChanged: wobble(backupId, i) > 0.4 },
      ...(i > 10 ? { state: 'absent' } : { state: 'held', ...head(most - i, stateAt) }),
    })),
    ...{ omitted: 96, near: [] },
    store: {
      address: store.store,
      state: 'held',
      problem: null,
      ...head(isLost ? most - 4 : most + 2, new Date(NOW - 61_000).toISOString()),
    },
    standing: isLost ? 'behind' : 'ahead',
    onlyInBackups: isLost
      ? { fromVersion: most - 3, toVersion: most, backupId: newestFirst[0]?.backupId ?? '' }
      : null,
  };
}

export function streamsDocument(store: ConsoleStore, words: readonly string[]): unknown {
  const prefix = oneOf(words, '--prefix') ?? '';
  const newest = store.status?.backups.at(-1);
  return {
    ...{ backupId: newest?.backupId, createdAt: newest?.stateAt, hasMoreStreams: true },
    streams: Array.from({ length: 24 }, (_, i) => {
      const events = 1 + Math.floor(wobble(prefix, i) * 40);
      return { streamId: `${prefix}${1000 + i}`, events, firstVersion: 1, lastVersion: events };
    }),
  };
}

export function diffDocument(store: ConsoleStore): unknown {
  const newest = store.status?.backups.at(-1);
  const none = { events: 0, streams: 0 };
  const blank = {
    missing: null,
    replaced: null,
    changed: null,
    changedFields: {},
    unknown: { newer: null, between: null },
  };
  const extent = (events: number, firstVersion: number) => ({
    events,
    firstVersion,
    lastVersion: firstVersion + events - 1,
  });
  return {
    ...{ store: store.store, vault: store.vault, backupId: newest?.backupId, chain: [] },
    target: { time: newest?.stateAt },
    ...{ equal: false, diverged: true, past: { events: 5_418_220, streams: 602_011 }, liveEvents: 5_419_008 },
    totals: {
      ...{ missing: { events: 2, streams: 1 }, replaced: none, changed: { events: 1, streams: 1 } },
      unknown: { newer: { events: 791, streams: 212 }, between: none },
    },
    streams: [
      { ...blank, streamId: 'order-17', changed: extent(1, 1), changedFields: { data: 1 } },
      { ...blank, streamId: 'order-21', missing: extent(2, 4) },
      ...Array.from({ length: 20 }, (_, i) => ({
        ...blank,
        streamId: `cart-${8000 + i}`,
        unknown: { newer: extent(1 + (i % 5), 3), between: null },
      })),
    ],
    ...{ omitted: 192, notes: [] },
  };
}
