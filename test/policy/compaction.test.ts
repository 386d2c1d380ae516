import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type CompactableFile,
  type CompactionPolicy,
  DEFAULT_COMPACTION,
  planCompaction,
} from '../../src/policy/compaction.ts';

const SECOND = 1000;

function file(from: number, to: number, sizeBytes: number, modifiedAtMs: number): CompactableFile {
  return { name: `${from}-${to}`, from: BigInt(from), to: BigInt(to), sizeBytes, modifiedAtMs };
}

/** A file a second, each of `sizeBytes`. */
function seconds(count: number, sizeBytes = 1000): CompactableFile[] {
  return Array.from({ length: count }, (_, i) => file(i, i + 1, sizeBytes, (i + 1) * SECOND));
}

function ranges(plan: ReturnType<typeof planCompaction>): string[] {
  return plan.joins.map(({ files }) => `${files[0]!.from}-${files.at(-1)!.to}`);
}

/** A day in which files come and a compaction runs every 30 seconds. */
function simulateDay(policy: CompactionPolicy, sizeOf: (second: number) => number) {
  let files: CompactableFile[] = [];
  let covered: CompactableFile[] = [];
  const seen = { files: 0, objects: 0, written: 0, copied: 0, largest: 0 };
  for (let second = 1; second <= 86_400; second += 1) {
    const nowMs = second * SECOND;
    files.push(file(second - 1, second, sizeOf(second), nowMs));
    seen.written += files.at(-1)!.sizeBytes;
    seen.files = Math.max(seen.files, files.length);
    seen.objects = Math.max(seen.objects, files.length + covered.length);
    if (second % 30 !== 0) continue;
    const plan = planCompaction({ spans: [{ files }], covered }, nowMs + 500, policy);
    const gone = new Set(plan.removals.flatMap((removal) => removal.files));
    covered = covered.filter((other) => !gone.has(other));
    for (const { files: parts } of plan.joins) {
      const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
      const joined = file(Number(parts[0]!.from), Number(parts.at(-1)!.to), sizeBytes, nowMs + 700);
      const at = files.indexOf(parts[0]!);
      assert.deepEqual(files.slice(at, at + parts.length), parts, 'parts are neighbours');
      files = [...files.slice(0, at), joined, ...files.slice(at + parts.length)];
      covered.push(...parts);
      seen.copied += sizeBytes;
      seen.largest = Math.max(seen.largest, sizeBytes);
    }
  }
  return seen;
}

describe('the plan of a compaction', () => {
  it('joins what came in half a minute, and leaves what is younger', () => {
    const plan = planCompaction({ spans: [{ files: seconds(40) }], covered: [] }, 40.5 * SECOND);
    assert.deepEqual(ranges(plan), ['0-31']);
    assert.match(plan.joins[0]!.reason, /31 files of 30 s/);
    assert.deepEqual(
      ranges(planCompaction({ spans: [{ files: seconds(20) }], covered: [] }, 20.5 * SECOND)),
      [],
    );
  });

  it('joins what is old at once to what it becomes in the end', () => {
    const plan = planCompaction(
      { spans: [{ files: seconds(2 * 3600 + 400) }], covered: [] },
      7600.5 * SECOND,
    );
    const lengths = plan.joins.map(({ files }) => files.length);
    assert.deepEqual(lengths, [3601, 3600, 300, 30, 30, 30]);
  });

  it('never joins files across a gap', () => {
    const all = seconds(80);
    const spans = [{ files: all.slice(0, 25) }, { files: all.slice(27) }];
    const plan = planCompaction({ spans, covered: [] }, 1000 * SECOND);
    assert.deepEqual(ranges(plan), ['0-25', '27-80']);
  });

  it('makes no file larger than the limit', () => {
    const plan = planCompaction({ spans: [{ files: seconds(20, 20 << 20) }], covered: [] }, 4000 * SECOND);
    assert.deepEqual(ranges(plan).slice(0, 3), ['0-3', '3-6', '6-9']);
    const large = seconds(20, 65 << 20);
    assert.deepEqual(ranges(planCompaction({ spans: [{ files: large }], covered: [] }, 4000 * SECOND)), []);
  });

  it('does not copy a large file for the sake of small ones', () => {
    const files = seconds(40).map((small, i) => (i === 20 ? { ...small, sizeBytes: 1 << 20 } : small));
    const plan = planCompaction({ spans: [{ files }], covered: [] }, 4000 * SECOND);
    assert.deepEqual(ranges(plan), ['0-20', '21-40']);
  });

  it('removes parts only when the joined file is old enough for readers to know it', () => {
    const covered = seconds(3);
    const joined = file(0, 3, 3000, 10 * SECOND);
    const log = { spans: [{ files: [joined] }], covered };
    assert.deepEqual(planCompaction(log, 609 * SECOND).removals, []);
    assert.deepEqual(planCompaction(log, 610 * SECOND).removals, [{ covering: joined, files: covered }]);
  });

  it('keeps the number of files of a day small, and copies each byte few times', () => {
    const even = simulateDay(DEFAULT_COMPACTION, () => 20_000);
    assert.ok(even.files < 100, `${even.files} files at most`);
    assert.ok(even.objects < 800, `${even.objects} objects at most, with parts that wait`);
    assert.ok(even.copied < 4 * even.written, `${even.copied} of ${even.written} bytes copied`);
    assert.ok(even.largest <= DEFAULT_COMPACTION.maxBytes);
  });

  it('also where much comes at times and little at others', () => {
    const bursts = simulateDay(DEFAULT_COMPACTION, (second) =>
      second % 1000 < 20 ? 3_000_000 : 500 + ((second * 7919) % 5000),
    );
    assert.ok(bursts.files < 700, `${bursts.files} files at most`);
    assert.ok(bursts.copied < 5 * bursts.written, `${bursts.copied} of ${bursts.written} bytes copied`);
    assert.ok(bursts.largest <= DEFAULT_COMPACTION.maxBytes);
  });
});
