import fc from 'fast-check';
import type { RetentionRule } from '../../src/core/retention-rule.ts';
import type { RetentionPlan } from '../../src/policy/retention.ts';
import type {
  BackupFacts,
  HoldFacts,
  LogFacts,
  LogFileFacts,
  LogStart,
  VaultFacts,
} from '../../src/policy/retention-facts.ts';

/** A made-up vault: positions of its logs are milliseconds, so what is recoverable can be told without any log. */
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const NOW = Date.UTC(2026, 10, 29, 14, 30);

type Step =
  | { readonly kind: 'full' }
  | { readonly kind: 'gap' }
  | { readonly kind: 'promotion' }
  | { readonly kind: 'damage' }
  | { readonly kind: 'orphan' }
  | { readonly kind: 'incremental'; readonly on: number }
  | { readonly kind: 'log'; readonly files: number }
  | { readonly kind: 'hold'; readonly on: number; readonly endsAfterHours: number | null };

export type History = readonly { readonly hours: number; readonly step: Step }[];

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('full' as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('incremental' as const), on: fc.nat(3) }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('log' as const), files: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Step>(
      { kind: 'gap' },
      { kind: 'promotion' },
      { kind: 'damage' },
      { kind: 'orphan' },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('hold' as const),
      on: fc.nat(5),
      endsAfterHours: fc.option(fc.integer({ min: 1, max: 500 })),
    }),
  },
);

export const histories: fc.Arbitrary<History> = fc.array(
  fc.record({ hours: fc.integer({ min: 0, max: 40 }), step }),
  { minLength: 0, maxLength: 40, size: 'max' },
);

/** Most parts of most rules are left out: a rule that keeps everything tests little. */
function seldom<Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
}

const count = seldom(fc.integer({ min: 1, max: 4 }));
const span = seldom(fc.integer({ min: 1, max: 12 }).map((days) => days * DAY));

export const rules: fc.Arbitrary<RetentionRule> = fc
  .record({
    ...{ last: count, withinMs: span, daily: count, weekly: count, monthly: count, yearly: count },
    ...{ logMs: span, minimumRedundancy: count },
    timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'Pacific/Apia', 'America/Havana'),
  })
  .map((rule) => {
    const said = Object.entries(rule).filter(([, value]) => value !== undefined);
    const saysOfBackups = said.some(([key]) => !['logMs', 'minimumRedundancy', 'timeZone'].includes(key));
    return { ...(saysOfBackups ? {} : { last: 1 }), ...Object.fromEntries(said) } as RetentionRule;
  });

interface Building {
  atMs: number;
  serial: number;
  backups: BackupFacts[];
  holds: HoldFacts[];
  orphans: VaultFacts['unfinished'][number][];
  logs: { folder: string; spans: LogFileFacts[][]; gaps: LogFacts['gaps'][number][] }[];
}

/** What a vault holds after this history, which ends before `NOW`. */
export function vaultOf(history: History): VaultFacts {
  // A gap takes a while too.
  const hours = history.reduce((sum, entry) => sum + entry.hours + 3, 0);
  const made: Building = {
    atMs: NOW - hours * HOUR,
    serial: 0,
    backups: [],
    holds: [],
    orphans: [],
    logs: [],
  };
  for (const entry of history) {
    made.atMs += entry.hours * HOUR;
    // No two things at one instant.
    made.atMs += 1;
    take(made, entry.step);
  }
  const logs = made.logs.map(({ folder, spans, gaps }): LogFacts => {
    const known = spans
      .filter(({ length }) => length > 0)
      .map((files) => ({ files, untilMs: files.at(-1)?.modifiedAtMs ?? null }));
    return {
      folder,
      gaps,
      marks: [],
      covered: [],
      spans: known,
      keyRecords: [{ name: `${folder}key`, sizeBytes: 1, files: null }],
    };
  });
  const newestObjectMs = Math.max(
    ...made.backups.map(({ createdAtMs }) => createdAtMs),
    ...made.orphans.map(({ modifiedAtMs }) => modifiedAtMs),
    ...logs.flatMap(({ spans }) =>
      spans.flatMap(({ files }) => files.map(({ modifiedAtMs }) => modifiedAtMs)),
    ),
  );
  return {
    ...{ backups: made.backups, damaged: [], unfinished: made.orphans, logs, holds: made.holds },
    ...{
      frozen: null,
      vaultNowMs: null,
      archive: null,
      newestObjectMs: Number.isFinite(newestObjectMs) ? newestObjectMs : null,
    },
  };
}

function take(made: Building, change: Step): void {
  const { kind } = change;
  if (kind === 'full') addBackup(made, null);
  else if (kind === 'incremental') addBackup(made, made.backups.at(-1 - change.on) ?? null);
  else if (kind === 'log') extendLog(made, change.files);
  else if (kind === 'gap') breakLog(made);
  else if (kind === 'promotion')
    made.logs.push({ folder: `log/7-${made.logs.length + 1}/`, spans: [[]], gaps: [] });
  else if (kind === 'orphan') addOrphan(made);
  else if (kind === 'damage') damage(made);
  else if (kind === 'hold') hold(made, change);
}

function idOf(serial: number): string {
  return `${String(serial).padStart(8, '0')}-0000-4000-8000-000000000000`;
}

function addBackup(made: Building, parent: BackupFacts | null): void {
  made.serial += 1;
  const backupId = idOf(made.serial);
  const kind = parent === null ? 'full' : 'incremental';
  made.backups.push({
    ...{ backupId, kind, folder: `backups/${backupId}/`, parentId: parent?.backupId ?? null },
    ...{ baseId: parent?.baseId ?? backupId, createdAtMs: made.atMs, sizeBytes: 1000, verified: null },
    isWhole: parent?.isWhole ?? true,
    carriedBy: startsAt(made),
  });
}

/** A backup meets the newest log, and needs the file before its own to be read too, where there is one. */
function startsAt({ logs }: Building): LogStart[] {
  const log = logs.at(-1);
  const files = log?.spans.at(-1) ?? [];
  const file = files.at(-2) ?? files.at(-1);
  if (log === undefined || file === undefined) return [];
  return [{ folder: log.folder, span: log.spans.length - 1, file: file.name }];
}

function extendLog(made: Building, files: number): void {
  if (made.logs.length === 0) take(made, { kind: 'promotion' });
  const log = made.logs.at(-1)!;
  for (let i = 0; i < files; i += 1) {
    const own = log.spans.at(-1)!;
    const from = own.at(-1)?.to ?? BigInt(made.atMs - HOUR);
    const name = `${log.folder}${from}-${made.atMs}`;
    own.push({ name, from, to: BigInt(made.atMs), sizeBytes: 100, modifiedAtMs: made.atMs });
    made.atMs += 1;
  }
}

function breakLog(made: Building): void {
  const log = made.logs.at(-1);
  const end = log?.spans.at(-1)?.at(-1);
  if (log === undefined || end === undefined) return;
  // The next file begins an hour before its end, so that much must have passed.
  made.atMs += 2 * HOUR;
  const to = BigInt(made.atMs - HOUR);
  log.gaps.push({ name: `${log.folder}${end.to}-${to}.gap`, from: end.to, to, sizeBytes: 10 });
  log.spans.push([]);
  extendLog(made, 1);
}

function addOrphan(made: Building): void {
  made.serial += 1;
  const backupId = idOf(made.serial);
  const folder = `backups/${backupId}/`;
  made.orphans.push({
    backupId,
    folder,
    kind: 'full',
    sizeBytes: 5,
    modifiedAtMs: made.atMs,
    isAtWork: false,
  });
}

/** The newest full backup loses its manifest: nothing that builds on it can be used. */
function damage(made: Building): void {
  const at = made.backups.findLastIndex(({ kind }) => kind === 'full');
  const [lost] = at === -1 ? [] : made.backups.splice(at, 1);
  if (lost === undefined) return;
  made.backups = made.backups.map((backup) =>
    backup.baseId === lost.backupId ? { ...backup, isWhole: false, carriedBy: [] } : backup,
  );
}

function hold(made: Building, { on, endsAfterHours }: { on: number; endsAfterHours: number | null }): void {
  const held = made.backups.at(-1 - on);
  if (held === undefined) return;
  const untilMs = endsAfterHours === null ? null : made.atMs + endsAfterHours * HOUR;
  made.holds.push({ holdId: `hold-${made.holds.length}`, backupId: held.backupId, reason: 'audit', untilMs });
}

/** The vault after its plan was carried out. */
export function afterPlan(facts: VaultFacts, plan: RetentionPlan): VaultFacts {
  const gone = new Set(
    [
      ...plan.backups.map(({ item, kept }) => (kept ? null : item.backupId)),
      ...plan.unfinished.map(({ item, kept }) => (kept ? null : item.backupId)),
      ...plan.logs.flatMap(({ objects }) => objects.map(({ item, kept }) => (kept ? null : item.name))),
    ].filter((name) => name !== null),
  );
  const left = { ...facts, unfinished: facts.unfinished.filter(({ backupId }) => !gone.has(backupId)) };
  const places = new Map<string, Map<number, number>>();
  const logs = facts.logs.flatMap((log): LogFacts[] => {
    const spans = log.spans.map(({ files, untilMs }) => ({
      untilMs,
      files: files.filter(({ name }) => !gone.has(name)),
    }));
    const kept = spans
      .map((found, place) => ({ found, place }))
      .filter(({ found, place }) => found.files.length > 0 || log.spans[place]!.files.length === 0);
    places.set(log.folder, new Map(kept.map(({ place }, now) => [place, now])));
    const gaps = log.gaps.filter(({ name }) => !gone.has(name));
    const keyRecords = log.keyRecords.filter(({ name }) => !gone.has(name));
    const isEmpty = kept.length === 0 && gaps.length === 0 && keyRecords.length === 0;
    return isEmpty ? [] : [{ ...log, gaps, keyRecords, spans: kept.map(({ found }) => found) }];
  });
  const backups = facts.backups
    .filter(({ backupId }) => !gone.has(backupId))
    .map((backup) => ({
      ...backup,
      carriedBy: backup.carriedBy.flatMap((start): LogStart[] => {
        const span = places.get(start.folder)?.get(start.span);
        const files = logs.find(({ folder }) => folder === start.folder)?.spans[span ?? -1]?.files ?? [];
        return span !== undefined && files.some(({ name }) => name === start.file)
          ? [{ ...start, span }]
          : [];
      }),
    }));
  return { ...left, backups, logs };
}

/** The instants that a vault can bring back, as ranges: each from a backup on through its log, and the backup alone. */
export function recoverable({ backups, logs }: VaultFacts): { fromMs: number; toMs: number }[] {
  return backups
    .filter((backup) => isThere(backups, backup))
    .flatMap(({ createdAtMs, carriedBy }) => [
      { fromMs: createdAtMs, toMs: createdAtMs },
      ...carriedBy.map(({ folder, span: place }) => {
        const untilMs = logs.find((log) => log.folder === folder)!.spans[place]!.untilMs!;
        return { fromMs: createdAtMs, toMs: Math.max(createdAtMs, untilMs) };
      }),
    ]);
}

/** Whether all that a backup builds on is there. */
export function isThere(backups: readonly BackupFacts[], { parentId, isWhole }: BackupFacts): boolean {
  if (!isWhole) return false;
  if (parentId === null) return true;
  const parent = backups.find(({ backupId }) => backupId === parentId);
  return parent !== undefined && isThere(backups, parent);
}
