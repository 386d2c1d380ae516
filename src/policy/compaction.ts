/** What the planner needs of a file of the change log; the names say the positions. */
export interface CompactableFile {
  readonly name: string;
  readonly from: bigint;
  readonly to: bigint;
  readonly sizeBytes: number;
  /** Milliseconds since 1970, by the vault's clock. */
  readonly modifiedAtMs: number;
}

export interface CompactionPolicy {
  /** Files are joined until they hold about as long as this, step by step: ascending. */
  readonly levelsMs: readonly number[];
  /** No joined file is larger. */
  readonly maxBytes: number;
  /** How long the parts stay beside the joined file, for those who listed the log before it was there. */
  readonly keepMs: number;
}

export const DEFAULT_COMPACTION: CompactionPolicy = {
  levelsMs: [30_000, 300_000, 3_600_000],
  maxBytes: 64 << 20,
  keepMs: 600_000,
};

export interface CompactionPlan<File extends CompactableFile> {
  readonly joins: readonly CompactionJoin<File>[];
  /** Files that a longer one covers, by that one. */
  readonly removals: readonly CompactionRemoval<File>[];
}

export interface CompactionJoin<File extends CompactableFile> {
  /** Neighbours, in order, two or more. */
  readonly files: readonly File[];
  /** For people: why these, and why now. */
  readonly reason: string;
}

export interface CompactionRemoval<File extends CompactableFile> {
  readonly covering: File;
  readonly files: readonly File[];
}

/** Spans are runs of files without a gap; files that others cover are in none. */
interface CompactableLog<File> {
  readonly spans: readonly { readonly files: readonly File[] }[];
  readonly covered: readonly File[];
}

/**
 * Which neighbouring files of a log to join, and which to remove because a joined one holds them as well. Nothing
 * is ever joined across a gap.
 *
 * A joined file is new, whatever it holds, so its time says little; what it holds was there before the next file was. A wrong
 * guess costs little: a file is only ever joined with as much as it has itself, so what is copied again at least doubles.
 */
export function planCompaction<File extends CompactableFile>(
  log: CompactableLog<File>,
  nowMs: number,
  policy: CompactionPolicy = DEFAULT_COMPACTION,
): CompactionPlan<File> {
  const joins = log.spans.flatMap(({ files }) => planSpan(files.filter(holdsSomething), nowMs, policy));
  return { joins, removals: planRemovals(log, nowMs, policy) };
}

/** The file with which a log begins is one for itself: whether another holds it too could not be told by its name. */
function holdsSomething({ from, to }: CompactableFile): boolean {
  return from !== to;
}

/** Readers know of a joined file since the first one came that holds a part: others that hold it too may have come later. */
function planRemovals<File extends CompactableFile>(
  { spans, covered }: CompactableLog<File>,
  nowMs: number,
  { keepMs }: CompactionPolicy,
): CompactionRemoval<File>[] {
  const waiting = new Set(covered);
  const removals: { covering: File; files: File[] }[] = [];
  const around: { readonly to: bigint; readonly sinceMs: number }[] = [];
  for (const file of [...spans.flatMap(({ files }) => files), ...covered].sort(byRange)) {
    while (around.length > 0 && around.at(-1)!.to < file.to) around.pop();
    const since = around.at(-1)?.sinceMs;
    around.push({ to: file.to, sinceMs: Math.min(file.modifiedAtMs, since ?? Number.POSITIVE_INFINITY) });
    if (!waiting.has(file)) removals.push({ covering: file, files: [] });
    else if (since !== undefined && nowMs - since >= keepMs) removals.at(-1)!.files.push(file);
  }
  return removals.filter(({ files }) => files.length > 0);
}

/** A file stands before those that it covers. */
function byRange(a: CompactableFile, b: CompactableFile): number {
  if (a.from !== b.from) return a.from < b.from ? -1 : 1;
  return a.to > b.to ? -1 : 1;
}

/** A file, and how long what it holds took to come. */
interface Timed<File> {
  readonly file: File;
  readonly beginMs: number;
  readonly endMs: number;
}

/** Joined files hold a little more or less than their level. */
const NEARLY = 0.8;

/** The longest level first: what is old is joined at once to what it becomes in the end. */
function planSpan<File extends CompactableFile>(
  files: readonly File[],
  nowMs: number,
  policy: CompactionPolicy,
): CompactionJoin<File>[] {
  const timed = timeFiles(files, nowMs);
  const taken = new Set<File>();
  const joins: CompactionJoin<File>[] = [];
  for (const levelMs of policy.levelsMs.toReversed()) {
    for (const group of groupsOf(timed, taken, { levelMs, nowMs, maxBytes: policy.maxBytes })) {
      for (const part of evenParts(group)) {
        for (const file of part) taken.add(file);
        joins.push({ files: part, reason: `${part.length} files of ${levelMs / 1000} s` });
      }
    }
  }
  return joins.sort((a, b) => (a.files[0]!.from < b.files[0]!.from ? -1 : 1));
}

/** All that a file holds was there before any file behind it. */
function timeFiles<File extends CompactableFile>(files: readonly File[], nowMs: number): Timed<File>[] {
  const ends = new Array<number>(files.length);
  let endMs = nowMs;
  for (let i = files.length - 1; i >= 0; i -= 1) {
    endMs = Math.min(endMs, files[i]!.modifiedAtMs);
    ends[i] = endMs;
  }
  return files.map((file, i) => ({ file, beginMs: ends[i - 1] ?? ends[i]!, endMs: ends[i]! }));
}

/** Runs of files that are shorter than the level, and together as long, or as large as a file may be. */
function groupsOf<File extends CompactableFile>(
  files: readonly Timed<File>[],
  taken: ReadonlySet<File>,
  { levelMs, nowMs, maxBytes }: { levelMs: number; nowMs: number; maxBytes: number },
): File[][] {
  const groups: File[][] = [];
  let open: File[] = [];
  let beginMs = 0;
  let sizeBytes = 0;
  const close = (): void => {
    groups.push(open);
    open = [];
    sizeBytes = 0;
  };
  for (const { file, beginMs: fileBeginMs, endMs } of files) {
    const isShort = endMs - fileBeginMs < levelMs * NEARLY && !taken.has(file);
    if (!isShort || sizeBytes + file.sizeBytes > maxBytes) close();
    if (!isShort || file.sizeBytes > maxBytes) continue;
    if (open.length === 0) beginMs = fileBeginMs;
    open.push(file);
    sizeBytes += file.sizeBytes;
    if (endMs - beginMs >= levelMs) close();
  }
  if (nowMs - beginMs >= levelMs) close();
  return groups;
}

/** Around a file that is larger than all the others together: it is not worth copying it with them. */
function evenParts<File extends CompactableFile>(group: readonly File[]): File[][] {
  if (group.length < 2) return [];
  const total = group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const large = group.findIndex(({ sizeBytes }) => 2 * sizeBytes > total);
  if (large === -1) return [[...group]];
  return [...evenParts(group.slice(0, large)), ...evenParts(group.slice(large + 1))];
}

/** What the planner needs of a mark that says that nothing came. */
export interface CompactableMark {
  readonly at: bigint;
  readonly asOf: bigint;
  readonly modifiedAtMs: number;
}

export interface MarkRemoval<Mark extends CompactableMark> {
  /** The newer mark that says the same of a longer time; null where the log has gone on, or begins later. */
  readonly newer: Mark | null;
  readonly marks: readonly Mark[];
}

interface MarkedLog<Mark> {
  readonly spans: readonly { readonly from: bigint; readonly to: bigint }[];
  readonly gaps: readonly { readonly from: bigint; readonly to: bigint }[];
  readonly quiet: readonly Mark[];
}

/**
 * Which marks say nothing any longer: a newer one is there, or the log has gone on where they stand. They stay as long as parts of a
 * joined file do. Where a gap touches a position, two runs may end or begin there, and all stay.
 */
export function planMarkRemovals<Mark extends CompactableMark>(
  { spans, gaps, quiet }: MarkedLog<Mark>,
  nowMs: number,
  { keepMs }: Pick<CompactionPolicy, 'keepMs'> = DEFAULT_COMPACTION,
): MarkRemoval<Mark>[] {
  const removals: MarkRemoval<Mark>[] = [];
  for (const [at, marks] of Map.groupBy(quiet, (mark) => mark.at)) {
    if (gaps.some(({ from, to }) => from <= at && to >= at)) continue;
    const isEnd = spans.some(({ to }) => to === at);
    const hasGoneOn = !isEnd && spans.some(({ to }) => to > at);
    const oldestFirst = marks.toSorted((a, b) => (a.asOf < b.asOf ? -1 : 1));
    const newer = isEnd ? oldestFirst.pop()! : null;
    if (newer === null && !hasGoneOn) continue;
    // One that counted until a newer one came is known to be no use since then.
    const isOld = (mark: Mark, i: number): boolean =>
      nowMs - (oldestFirst[i + 1] ?? newer ?? mark).modifiedAtMs >= keepMs;
    const old = oldestFirst.filter(isOld);
    if (old.length > 0) removals.push({ newer, marks: old });
  }
  return removals;
}
