import type { Answer, ConsoleStore, Question } from '../../src/console/ports.ts';
import type { StatusBackup } from '../../src/core/status.ts';
import { uuidOf } from './fixture-backups.ts';
import { NOW } from './fixture-jobs.ts';
import { answerOfProofs } from './fixture-proofs.ts';
import { diffDocument, restoreDocument, streamDocument, streamsDocument } from './fixture-restore.ts';
import { HOSTILE_STORE, STORES } from './fixture-stores.ts';

/** What commands answer about the five stores, as their documents are. */

export function answered(document: unknown, exitCode = 0): Answer {
  return { state: 'answered', document, atMs: NOW - 4000, exitCode };
}

export function answerOf({ store, words }: Question): Answer {
  const found = [...STORES, HOSTILE_STORE].find(({ name }) => name === store);
  if (found === undefined) return failed('config_invalid', `no store is called ${store}`, null);
  if (found.trouble !== null)
    return failed(
      'vault_unreachable',
      'minio.internal does not answer: connect ECONNREFUSED 10.0.0.7:9000',
      'is it up, and may this host reach it?',
    );
  const proven = answerOfProofs(found, words);
  if (proven !== null) return proven;
  const document = documentOf(found, words);
  if (document !== undefined) return answered(document);
  return failed(
    'backup_not_found',
    `no backup is called ${words[1]}`,
    '`eventcore list` shows what is there',
  );
}

function failed(code: string, message: string, hint: string | null): Answer {
  return { state: 'failed', code, message, hint, facts: {}, atMs: NOW - 4000 };
}

function documentOf(store: ConsoleStore, words: readonly string[]): unknown {
  const [verb, noun] = words;
  if (verb === 'list') return listDocument(store, regionOf(words));
  if (verb === 'restore') return restoreDocument(store, words);
  if (verb === 'diff') return diffDocument(store);
  if (verb === 'show' && noun === '--streams') return streamsDocument(store, words);
  if (verb === 'show' && noun === '--stream') return streamDocument(store, words[2] ?? '');
  if (verb === 'show') return showDocument(store, noun ?? '');
  if (verb === 'keys') return keysDocument(store);
  if (verb === 'hold') return holdsDocument(store);
  if (verb === 'freeze') return freezeDocument(store);
  if (verb === 'runs') return runsDocument(store);
  return undefined;
}

function regionOf(words: readonly string[]): string | null {
  return words.find((word) => word.startsWith('--region='))?.slice('--region='.length) ?? null;
}

/** Replicas lack the newest, and the archive has none that is young. */
function backupsOf({ status }: ConsoleStore, region: string | null): readonly StatusBackup[] {
  const all = status?.backups ?? [];
  if (region === null || region === 'eu-central-1') return all;
  if (region === 'us-west-2') return all.slice(0, -1);
  return all.slice(0, 96);
}

function listDocument(store: ConsoleStore, region: string | null): unknown {
  const isLedger = store.name === 'ledger';
  return {
    vault: store.vault,
    backups: backupsOf(store, region).map((backup) => backupDocument(store, backup)),
    recoveryWindows: store.status?.windows ?? [],
    gaps: (store.status?.gaps ?? []).map((gap) => ({
      ...gap,
      message: 'the slot was lost',
      fromLsn: '2/91',
      toLsn: '2/A4',
    })),
    log: [],
    logProblems: [],
    unfinished: isLedger
      ? [
          {
            ...{
              folder: 'backups/incremental-backup-9f/',
              backupId: uuidOf('unfinished'),
              kind: 'incremental',
            },
            ...{ objects: 2, sizeBytes: 81_000, canBeTakenUp: false, modifiedAt: '2026-11-28T12:03:11.000Z' },
          },
        ]
      : [],
    damaged: isLedger
      ? [
          {
            ...{ folder: 'backups/incremental-backup-77/', backupId: uuidOf('damaged'), kind: 'incremental' },
            ...{
              code: 'manifest_damaged',
              message: 'its manifest is not what was written: the checksum differs',
            },
          },
        ]
      : [],
    lag: null,
  };
}

/** A backup as `list` and `show` name it. */
function backupDocument(store: ConsoleStore, backup: StatusBackup): Record<string, unknown> {
  const all = store.status!.backups;
  const at = all.indexOf(backup);
  const isFull = backup.kind === 'full';
  const chain = all.filter(({ chainId }) => chainId === backup.chainId);
  const length = chain.indexOf(backup) + 1;
  return {
    ...{ backupId: backup.backupId, kind: backup.kind, parentId: isFull ? null : all[at - 1]!.backupId },
    ...{ createdAt: backup.stateAt, finishedAt: backup.finishedAt, durationMs: backup.durationMs },
    ...{
      software: 'eventcore-backup 0.1.0',
      formatVersion: 1,
      format: 'columns',
      compression: 'zstd',
      level: 3,
    },
    ...{ sealed: backup.sealed, signer: backup.sealed ? 'ed25519:Xc4q9zKfA1' : null },
    source: { kind: 'postgres', layout: 'emmett', versionBase: 1, serverVersion: '17.2' },
    ...{ totalEvents: backup.events, totalStreams: Math.max(1, Math.round(backup.events / 24)) },
    ...{
      sizeBytes: backup.sizeBytes,
      plainBytes: backup.sizeBytes * 9,
      checksum: uuidOf(`sum ${backup.backupId}`).replaceAll('-', '').repeat(2),
    },
    eventRange: {
      ...{
        earliestEvent: isFull ? '2023-02-01T08:00:00.120000Z' : all[at - 1]!.stateAt,
        latestEvent: backup.stateAt,
      },
      ...{ earliestVersion: '1', latestVersion: '4211' },
    },
    cursor: { systemIdentifier: '7301', timeline: '1', snapshot: '8812:8820:' },
    oddities: {
      missingVersions: 0,
      duplicateVersions: 0,
      oddFirstVersions: 0,
      emptyFields: 0,
      belowBase: 0,
      futureTimes: 0,
    },
    chain: {
      ...{ baseId: backup.chainId, length, method: isFull ? null : 'transactions' },
      totalEvents: chain.slice(0, length).reduce((sum, { events }) => sum + events, 0),
      totalStreams: 211_040,
    },
    ...{ chainBroken: null, verifiedAt: backup.verifiedAt, verifiedSound: backup.isSound },
  };
}

function showDocument(store: ConsoleStore, wanted: string): unknown {
  const backup = store.status?.backups.find(({ backupId }) => backupId.startsWith(wanted));
  if (backup === undefined) return undefined;
  const chain = store.status!.backups.filter(({ chainId }) => chainId === backup.chainId);
  const file = { sha256: '', plainBytes: 0, index: { name: '', sizeBytes: 0, sha256: '' } };
  return {
    ...{ vault: store.vault, folder: `backups/${backup.kind}-backup-${backup.backupId}.eventcore/` },
    ...backupDocument(store, backup),
    links: chain.slice(0, chain.indexOf(backup) + 1).map(({ backupId }) => backupId),
    ...{ headsDigest: '9f2c', manifestBytes: 4210 },
    files: [
      {
        ...file,
        name: 'events-00001.columns.zst.sealed',
        role: 'events',
        sizeBytes: Math.round(backup.sizeBytes * 0.55),
        records: Math.round(backup.events * 0.55),
        chunks: 61,
      },
      {
        ...file,
        name: 'events-00002.columns.zst.sealed',
        role: 'events',
        sizeBytes: Math.round(backup.sizeBytes * 0.42),
        records: Math.round(backup.events * 0.45),
        chunks: 48,
      },
      {
        ...file,
        name: 'heads.zst.sealed',
        role: 'heads',
        sizeBytes: Math.round(backup.sizeBytes * 0.03),
        records: 211_040,
        chunks: 3,
      },
    ],
  };
}

const RECIPIENTS = [
  { kind: 'age', recipient: 'age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq' },
  { kind: 'aws-kms', recipient: 'arn:aws:kms:eu-central-1:111122223333:key/backups' },
];

function keysDocument({ vault, status }: ConsoleStore): unknown {
  if (status?.backups[0]?.sealed !== true) return { vault, keys: [] };
  const record = { file: 'keys/1.json', number: 1, createdAt: status.backups[0].stateAt, superseded: false };
  return {
    vault,
    keys: status.backups.map(({ backupId, kind }) => ({
      ...{
        keyId: uuidOf(`key ${backupId}`),
        folder: `backups/${kind}-backup-${backupId}.eventcore/`,
        scope: 'backup',
      },
      ...{ opens: null, reason: null },
      records: [{ ...record, recipients: RECIPIENTS, signature: 'unsigned', signer: null }],
    })),
  };
}

function holdsDocument({ name, status }: ConsoleStore): unknown {
  if (name !== 'shop') return { holds: [] };
  const [first] = status!.backups;
  return {
    holds: [
      {
        ...{
          holdId: uuidOf('hold'),
          backupId: first!.backupId,
          reason: 'audit 2026',
          until: '2027-06-30T00:00:00.000Z',
        },
        ...{ createdAt: '2026-11-02T09:00:00.000Z', covers: [first!.backupId], ended: false },
      },
    ],
  };
}

function freezeDocument({ name }: ConsoleStore): unknown {
  if (name !== 'ledger') return { frozen: false, freezes: [] };
  return {
    frozen: true,
    freezes: [
      {
        freezeId: uuidOf('freeze'),
        reason: 'incident 7: unknown deletes',
        createdAt: '2026-11-29T08:00:00.000Z',
      },
    ],
  };
}

function runsDocument({ jobs }: ConsoleStore): unknown {
  const ended = jobs.flatMap(({ last }) => (last === null ? [] : [last]));
  return {
    runs: ended
      .toSorted((a, b) => (a.endedAt < b.endedAt ? 1 : -1))
      .map(({ job, wantedAt, attempt, endedAt, durationMs, state, exitCode, code, facts }) => ({
        ...{ job, wantedAt, attempt, endedAt, durationMs, state, exitCode, code, facts },
        startedAt: new Date(Date.parse(endedAt) - durationMs).toISOString(),
        ...{ daemon: 'backup-1 4121', reason: 'its time has come', missed: 0 },
      })),
  };
}
