import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { RetentionRule } from '../../src/core/retention-rule.ts';
import { planRetention, type RetentionPlan, windowFor } from '../../src/policy/retention.ts';
import type { BackupFacts, VaultFacts } from '../../src/policy/retention-facts.ts';
import {
  afterPlan,
  DAY,
  HOUR,
  histories,
  isThere,
  NOW,
  recoverable,
  rules,
  vaultOf,
} from '../harness/retention-model.ts';

const RUNS = { numRuns: 100 };

function plan(facts: VaultFacts, rule: RetentionRule, nowMs = NOW): RetentionPlan {
  return planRetention(facts, rule, { nowMs });
}

function removed(planned: RetentionPlan): string[] {
  return [
    ...planned.backups.filter(({ kept }) => !kept).map(({ item }) => item.backupId),
    ...planned.unfinished.filter(({ kept }) => !kept).map(({ item }) => item.backupId),
    ...planned.logs.flatMap(({ objects }) =>
      objects.filter(({ kept }) => !kept).map(({ item }) => item.name),
    ),
  ];
}

describe('for any vault and any rule, retention', () => {
  it('never removes what a kept backup builds on', () => {
    fc.assert(
      fc.property(histories, rules, (history, rule) => {
        const facts = vaultOf(history);
        const kept = plan(facts, rule)
          .backups.filter((decision) => decision.kept)
          .map(({ item }) => item);
        for (const backup of kept) assert.equal(isThere(kept, backup), isThere(facts.backups, backup));
      }),
      RUNS,
    );
  });

  const verdicts = fc.array(fc.constantFrom(null, true, false), { minLength: 1, maxLength: 40 });
  const judged = (facts: VaultFacts, found: readonly (boolean | null)[]): VaultFacts => ({
    ...facts,
    backups: facts.backups.map((backup, i) => ({ ...backup, verified: found[i % found.length]! })),
  });

  it('loses no instant for what verifications found: they may be wrong, and damage may be mended', () => {
    fc.assert(
      fc.property(histories, rules, verdicts, (history, rule, found) => {
        const facts = vaultOf(history);
        const left = recoverable(afterPlan(facts, plan(judged(facts, found), rule)));
        const startMs = windowFor(facts, rule, NOW)?.startMs ?? NOW;
        for (const { fromMs, toMs } of recoverable(facts)) {
          for (const ms of instants(Math.max(fromMs, startMs), toMs)) {
            const isLeft = left.some((range) => range.fromMs <= ms && ms <= range.toMs);
            if (fromMs !== toMs) assert.ok(isLeft, `${new Date(ms).toISOString()} is lost`);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('removes no backup that a rule keeps for what verifications found', () => {
    fc.assert(
      fc.property(histories, rules, verdicts, (history, rule, found) => {
        const facts = vaultOf(history);
        const gone = new Set(removed(plan(judged(facts, found), rule)));
        for (const { item, kept, reasons } of plan(facts, rule).backups) {
          const isRuled = kept && reasons.some((reason) => !/^(?:base|parent) of /.test(reason));
          if (isRuled) assert.ok(!gone.has(item.backupId), `${item.backupId} goes: ${reasons.join()}`);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('leaves every instant of the window of the log recoverable that was so', () => {
    fc.assert(
      fc.property(histories, rules, (history, rule) => {
        const facts = vaultOf(history);
        const planned = plan(facts, rule);
        const left = recoverable(afterPlan(facts, planned));
        const startMs = windowFor(facts, rule, NOW)?.startMs ?? NOW;
        for (const { fromMs, toMs } of recoverable(facts)) {
          for (const ms of instants(Math.max(fromMs, startMs), toMs)) {
            const isLeft = left.some((range) => range.fromMs <= ms && ms <= range.toMs);
            // A backup that no rule keeps and no log leads over is an instant that the rule gives up.
            if (fromMs !== toMs) assert.ok(isLeft, `${new Date(ms).toISOString()} is lost`);
          }
        }
      }),
      RUNS,
    );
  });

  it('leaves no log with a hole that was not there before', () => {
    fc.assert(
      fc.property(histories, rules, (history, rule) => {
        for (const { objects } of plan(vaultOf(history), rule).logs) {
          const files = objects.filter(({ item }) => item.kind === 'file');
          const firstKept = files.findIndex(({ kept }) => kept);
          if (firstKept !== -1) assert.ok(files.slice(firstKept).every(({ kept }) => kept));
        }
      }),
      RUNS,
    );
  });

  it('never removes more by a rule that asks for more, nor makes an instant of the log go', () => {
    fc.assert(
      fc.property(histories, rules, rules, (history, rule, more) => {
        const facts = vaultOf(history);
        const raised = raise(rule, more);
        const gone = new Set(removed(plan(facts, rule)));
        const bases = plan(facts, rule).backups.filter(({ reasons }) =>
          reasons.every((reason) => /^base of|^parent of/.test(reason)),
        );
        // A longer window begins with an older backup; the newer one is an instant of it like any other.
        const elsewhere = new Set(bases.map(({ item }) => item.backupId));
        for (const name of removed(plan(facts, raised)))
          assert.ok(gone.has(name) || elsewhere.has(name), name);
        const startMs = windowFor(facts, raised, NOW)?.startMs ?? NOW;
        const before = recoverable(afterPlan(facts, plan(facts, rule)));
        const after = recoverable(afterPlan(facts, plan(facts, raised)));
        for (const { fromMs, toMs } of before) {
          for (const ms of instants(Math.max(fromMs, startMs), toMs)) {
            assert.ok(
              after.some((range) => range.fromMs <= ms && ms <= range.toMs),
              new Date(ms).toISOString(),
            );
          }
        }
      }),
      RUNS,
    );
  });

  it('removes nothing the second time', () => {
    fc.assert(
      fc.property(histories, rules, (history, rule) => {
        const facts = vaultOf(history);
        const after = afterPlan(facts, plan(facts, rule));
        assert.deepEqual(removed(plan(after, rule)), []);
      }),
      RUNS,
    );
  });

  it('leaves at least one backup that can be restored, and as many chains as the rule says', () => {
    fc.assert(
      fc.property(histories, rules, (history, rule) => {
        const facts = vaultOf(history);
        const kept = plan(facts, rule)
          .backups.filter((decision) => decision.kept)
          .map(({ item }) => item);
        const chains = (backups: VaultFacts['backups']): number =>
          new Set(backups.filter((backup) => isThere(backups, backup)).map(({ baseId }) => baseId)).size;
        assert.ok(chains(kept) >= Math.min(chains(facts.backups), rule.minimumRedundancy ?? 1));
      }),
      RUNS,
    );
  });

  it('says of everything why it stays or goes', () => {
    fc.assert(
      fc.property(histories, rules, (history, rule) => {
        const { backups, unfinished, logs } = plan(vaultOf(history), rule);
        for (const { reasons } of [...backups, ...unfinished, ...logs.flatMap(({ objects }) => objects)]) {
          assert.ok(reasons.length > 0);
          for (const reason of reasons) assert.match(reason, /^\w.+[^.]$/);
        }
      }),
      RUNS,
    );
  });

  it('never removes what is held, nor anything while the vault is frozen', () => {
    fc.assert(
      fc.property(histories, rules, (history, rule) => {
        const facts = vaultOf(history);
        const kept = new Set(
          plan(facts, rule)
            .backups.filter((decision) => decision.kept)
            .map(({ item }) => item.backupId),
        );
        for (const { backupId, untilMs } of facts.holds) {
          const isThereStill = facts.backups.some((backup) => backup.backupId === backupId);
          if (isThereStill && (untilMs === null || untilMs > NOW)) assert.ok(kept.has(backupId));
        }
        assert.deepEqual(removed(plan({ ...facts, frozen: 'incident 7' }, rule)), []);
      }),
      RUNS,
    );
  });

  it('removes no more when the clock of the host has jumped ahead, but ended holds', () => {
    fc.assert(
      fc.property(histories, rules, fc.integer({ min: 1, max: 4000 }), (history, rule, days) => {
        const facts = { ...vaultOf(history), holds: [] };
        assert.deepEqual(removed(plan(facts, rule, NOW + days * DAY)), removed(plan(facts, rule)));
      }),
      RUNS,
    );
  });
});

describe('retention', () => {
  const backup = (name: string, hour: number, parent: string | null, base = parent ?? name): BackupFacts => ({
    ...{
      backupId: name,
      folder: `backups/${name}/`,
      kind: parent === null ? 'full' : 'incremental',
      parentId: parent,
    },
    ...{
      baseId: base,
      createdAtMs: NOW - 100 * HOUR + hour * HOUR,
      sizeBytes: 1,
      isWhole: true,
      verified: null,
      carriedBy: [],
    },
  });
  const vault = (backups: readonly BackupFacts[], changes: Partial<VaultFacts> = {}): VaultFacts => ({
    ...{ backups, damaged: [], unfinished: [], logs: [], holds: [], frozen: null, archive: null },
    ...{ newestObjectMs: NOW, vaultNowMs: null, ...changes },
  });
  const reasonsOf = (facts: VaultFacts, rule: RetentionRule, options: { trustClock?: boolean } = {}) =>
    Object.fromEntries(
      planRetention(facts, rule, { nowMs: NOW, ...options }).backups.map(({ item, kept, reasons }) => [
        item.backupId,
        [kept, ...reasons],
      ]),
    );

  it('counts a full backup that was made of a chain, and the newest of the chain, as one point', () => {
    const facts = vault([
      backup('a', 1, null),
      backup('b', 2, 'a'),
      backup('c', 3, 'b', 'a'),
      backup('made', 3, null),
      backup('d', 4, 'made'),
    ]);
    const { a, b, c, made, d } = reasonsOf(facts, { last: 2 });
    assert.deepEqual(
      [a, b, c],
      [
        [false, 'no rule keeps it'],
        [false, 'no rule keeps it'],
        [false, 'no rule keeps it'],
      ],
    );
    assert.equal(made![0], true);
    assert.equal(d![0], true);
  });

  it('keeps the last backup that was verified, and counts none that was found unsound', () => {
    const facts = vault([
      { ...backup('a', 1, null), verified: true },
      backup('b', 2, null),
      { ...backup('c', 3, null), verified: false },
    ]);
    const { a, b, c } = reasonsOf(facts, { last: 1 });
    assert.deepEqual(a, [true, 'the last verified backup']);
    assert.deepEqual(b!.slice(1), ['the last one', 'minimum redundancy: the newest whole chain']);
    assert.deepEqual(c!.slice(1), [
      'the last one, if it could be used',
      'minimum redundancy: the newest whole chain, if it could be used',
      'the newest backup: the next one builds on it',
    ]);
  });

  it('lets go what is due for the archive only once it is there, with its whole chain', () => {
    const backups = [backup('a', 1, null), backup('b', 2, 'a'), backup('c', 90, null)];
    const archive = { afterMs: 48 * HOUR, holds: new Set(['a']) };
    const waiting = reasonsOf(vault(backups, { archive }), { last: 1 });
    assert.deepEqual(waiting.a, [true, 'parent of b, which is kept']);
    assert.deepEqual(waiting.b, [true, 'not in the archive yet']);
    const there = { ...archive, holds: new Set(['a', 'b']) };
    const moved = reasonsOf(vault(backups, { archive: there }), { last: 1 });
    assert.deepEqual(moved.b, [false, 'no rule keeps it', 'moved to the archive']);
  });

  it('does not hold for longer than until the hold ends', () => {
    const backups = [backup('a', 1, null), backup('b', 90, null)];
    const hold = { holdId: 'h', backupId: 'a', reason: 'audit 2026' };
    const held = vault(backups, { holds: [{ ...hold, untilMs: NOW + 1 }] });
    assert.deepEqual(reasonsOf(held, { last: 1 }).a, [true, 'held: audit 2026']);
    const ended = vault(backups, { holds: [{ ...hold, untilMs: NOW }] });
    assert.equal(reasonsOf(ended, { last: 1 }).a![0], false);
  });

  it('keeps every backup where none is whole, and where the rule says nothing of backups', () => {
    const broken = vault(
      [backup('a', 1, null), backup('b', 2, null)].map((one) => ({ ...one, isWhole: false })),
    );
    assert.ok(Object.values(reasonsOf(broken, { last: 1 })).every(([kept]) => kept));
    const whole = vault([backup('a', 1, null), backup('b', 2, null)]);
    assert.ok(Object.values(reasonsOf(whole, { logMs: DAY })).every(([kept]) => kept));
  });

  it('keeps a chain on both sides of a link that was lost: another copy of the vault may have it', () => {
    const broken = (one: BackupFacts): BackupFacts => ({ ...one, isWhole: false });
    const facts = vault([
      backup('full', 1, null),
      backup('before', 2, 'full', 'full'),
      // `lost` was built on `before`, and its manifest is gone.
      broken(backup('behind', 4, 'lost', 'full')),
      broken(backup('tail', 5, 'behind', 'full')),
      backup('other', 6, null),
    ]);
    const { full, before, behind } = reasonsOf(facts, { withinMs: 1.5 * HOUR });
    assert.deepEqual(behind, [true, 'parent of tail, which is kept']);
    assert.match(String(before![1]), /^behind, which is kept, builds on one that is not here/);
    assert.deepEqual([full![0], before![0]], [true, true]);
    const sound = facts.backups.filter(({ isWhole }) => isWhole);
    const unwanted = reasonsOf(vault(sound), { withinMs: 1.5 * HOUR });
    assert.equal(unwanted.before![0], false);
  });

  it('leaves alone what is known to be written, and a bundle without a manifest that a backup builds on', () => {
    const left = (backupId: string) => ({
      ...{ backupId, folder: `backups/${backupId}/`, kind: 'full' as const, sizeBytes: 1 },
      ...{ modifiedAtMs: NOW - 90 * DAY, isAtWork: false },
    });
    const unfinished = [left('x'), { ...left('y'), isAtWork: true }, left('z')];
    const facts = vault([{ ...backup('b', 2, 'z'), isWhole: false }, backup('c', 3, null)], { unfinished });
    const decided = planRetention(facts, { last: 1 }, { nowMs: NOW }).unfinished;
    assert.deepEqual(
      decided.map(({ kept }) => kept),
      [false, true, true],
    );
    assert.match(decided[2]!.reasons.join(), /b builds on it: its manifest was lost/);
    const hold = { holdId: 'h', backupId: 'x', reason: 'audit', untilMs: null };
    const [held] = planRetention({ ...facts, holds: [hold] }, { last: 1 }, { nowMs: NOW }).unfinished;
    assert.deepEqual([held!.kept, held!.reasons], [true, ['held: audit; its manifest was lost']]);
    const ended = { ...facts, holds: [{ ...hold, untilMs: NOW }] };
    assert.equal(planRetention(ended, { last: 1 }, { nowMs: NOW }).unfinished[0]!.kept, false);
  });
});

/** Both ends of a range, and some instants in it. */
function instants(fromMs: number, toMs: number): number[] {
  if (fromMs > toMs) return [];
  const between = Array.from({ length: 9 }, (_, i) => Math.round(fromMs + ((toMs - fromMs) * (i + 1)) / 10));
  return [fromMs, ...between, toMs];
}

/** No part of the rule is less than in either of two. */
function raise(rule: RetentionRule, more: RetentionRule): RetentionRule {
  const raised: Record<string, unknown> = { ...rule };
  for (const key of [
    'last',
    'withinMs',
    'daily',
    'weekly',
    'monthly',
    'yearly',
    'minimumRedundancy',
  ] as const) {
    const most = Math.max(rule[key] ?? 0, more[key] ?? 0);
    if (most > 0) raised[key] = most;
  }
  if (rule.logMs !== undefined) raised.logMs = Math.max(rule.logMs, more.logMs ?? 0);
  return raised as RetentionRule;
}
