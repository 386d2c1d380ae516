import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openVault } from '../../src/cli/wire.ts';
import {
  type JournalEntry,
  RECOVERY_STEPS,
  type RecoveryOutcome,
  type RecoveryPlan,
} from '../../src/core/disaster.ts';
import type { Vault } from '../../src/core/vault.ts';
import { encodeEntry, entryName, putEntry } from '../../src/format/disaster-journal.ts';
import { encodeOutcome, putOutcome } from '../../src/format/disaster-outcome.ts';
import { encodePlan, putPlan } from '../../src/format/disaster-plan.ts';
import { digestRecord } from '../../src/format/record.ts';
import { type Ran, runHere } from '../harness/command.ts';
import { sampleEntry, sampleOutcome, samplePlan } from '../harness/sample-disaster.ts';

/** Two regions that are directories; the journal is kept in that of the west. */
interface World {
  readonly folder: string;
  readonly plan: RecoveryPlan;
  status(...words: string[]): Promise<Ran>;
  write(entries: readonly Partial<JournalEntry>[], to: 'east' | 'west'): Promise<void>;
  file(region: 'east' | 'west', name: string): string;
  end(outcome: RecoveryOutcome): Promise<void>;
}

async function makeWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'disaster-status-'));
  const config = join(folder, 'eventcore.config.yaml');
  const region = (name: string) =>
    `    - { region: ${name}, servers: ["postgres://p@${name}/events"], fence: [{ command: [off] }], vault: ./${name} }\n`;
  writeFileSync(config, `disaster:\n  regions:\n${region('east')}${region('west')}`);
  const vaults = new Map(['east', 'west'].map((name) => [name, openVault(`file:${join(folder, name)}`)]));
  const vault = (name: string): Vault => vaults.get(name)!;
  const steps = RECOVERY_STEPS.map((step) => ({ step, does: step !== 'restore', text: `does ${step}` }));
  const plan = samplePlan({ journalVault: vault('west').address, steps });
  const bytes = encodePlan(plan, null);
  for (const name of ['east', 'west']) {
    await vault(name).open({ create: true });
    await putPlan(vault(name), bytes);
  }
  return {
    ...{ folder, plan },
    status: (...words) => runHere(['dr', 'status', ...words, '--config', config]),
    write: async (entries, to) => {
      let previous = digestRecord(bytes);
      for (const [i, entry] of entries.entries()) {
        const encoded = encodeEntry(
          sampleEntry({ planId: plan.planId, number: i + 1, previous, step: null, ...entry }),
          null,
        );
        await putEntry(vault(to), encoded);
        previous = digestRecord(encoded);
      }
    },
    file: (name, object) => join(folder, name, object),
    end: async (outcome) => void (await putOutcome(vault('west'), encodeOutcome(outcome, null))),
  };
}

const at = (second: number): string => `2026-11-29T20:00:${String(second).padStart(2, '0')}.000Z`;

const STORY: readonly Partial<JournalEntry>[] = [
  { kind: 'approved', at: at(0), text: 'approved', facts: {} },
  { kind: 'intent', step: 'fence', at: at(1), text: 'fencing', facts: {} },
  { kind: 'done', step: 'fence', at: at(4), text: 'nobody | but us can write', facts: {} },
  { kind: 'intent', step: 'promote', at: at(5), text: 'promoting', facts: {} },
];

describe('dr status', () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld();
  });
  afterEach(() => rmSync(world.folder, { recursive: true, force: true }));

  it('says of a plan that was not begun that it was not', async () => {
    const ran = await world.status();
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, new RegExp(`Recovery ${world.plan.planId}: planned, not begun`));
  });

  it('shows how far a run is, and exits 10 while it is not at its end', async () => {
    await world.write(STORY, 'west');
    const ran = await world.status(world.plan.planId.slice(0, 8));
    assert.equal(ran.code, 10, ran.stderr);
    assert.match(ran.stdout, /fence +done +3\.0 s +nobody \| but us can write/);
    assert.match(ran.stdout, /promote +begun/);
    assert.match(ran.stdout, /4 entries in .*west, unbroken, not signed/);
    assert.match(ran.stdout, new RegExp(`eventcore dr resume ${world.plan.planId}`));
  });

  it('tells what came of it once it ended, and exits 0', async () => {
    await world.write([...STORY, { kind: 'ended', at: at(9), text: 'recovered' }], 'west');
    await world.end({ ...sampleOutcome(), planId: world.plan.planId, state: 'recovered' });
    const ran = await world.status('--json');
    assert.equal(ran.code, 0, ran.stderr);
    const document = JSON.parse(ran.stdout);
    assert.equal(document.outcome.state, 'recovered');
    assert.deepEqual(
      [document.end, document.journal.isWhole, document.timeline.length],
      ['ended', true, STORY.length + 1],
    );
  });

  it('knows a copy that is behind from one that is another', async () => {
    await world.write(STORY, 'west');
    await world.write(STORY.slice(0, 2), 'east');
    const copies = async () => JSON.parse((await world.status('--json')).stdout).journal.copies;
    assert.deepEqual(
      (await copies()).map(({ entries, state }: { entries: number; state: string }) => [entries, state]),
      [[2, 'behind']],
    );
    await world.write(
      [...STORY.slice(0, 2), { kind: 'failed', step: 'fence', at: at(3), text: 'no' }],
      'east',
    );
    assert.equal((await copies())[0].state, 'other');
  });

  it('reads a copy where the vault of the journal is gone, and says so', async () => {
    await world.write(STORY.slice(0, 3), 'east');
    rmSync(world.file('west', ''), { recursive: true });
    const ran = await world.status();
    assert.match(ran.stdout, /this copy may lack the newest entries/);
    assert.match(ran.stderr, /west.*cannot be used/);
    assert.match(ran.stdout, /fence +done/);
  });

  it('exits 4 where an entry was changed, and says which one', async () => {
    await world.write(STORY, 'west');
    const path = world.file('west', entryName({ planId: world.plan.planId, number: 2 }));
    const changed = readFileSync(path, 'utf8').replace('fencing', 'dancing');
    rmSync(path);
    writeFileSync(path, changed);
    const ran = await world.status();
    assert.equal(ran.code, 4);
    assert.match(ran.stdout, /cannot be believed: .*00002\.json/);
  });

  it('tells the story as Markdown that no text in it can break', async () => {
    await world.write(STORY, 'west');
    const { stdout } = await world.status('--timeline');
    assert.match(stdout, /^# Recovery /);
    assert.ok(stdout.includes(`| ${at(4)} | 4.0 s | fence | done: nobody \\| but us can write |`), stdout);
  });

  it('lists all plans, and refuses an id that names none', async () => {
    assert.match((await world.status('--all')).stdout, /1 plan, the newest last:\n {2}disaster\/plans\//);
    const ran = await world.status('ffff');
    assert.equal(ran.code, 3);
    assert.match(ran.stderr, /no plan has the id ffff/);
  });

  it('exits 6 where no vault can be reached', async () => {
    for (const region of ['east', 'west'] as const) rmSync(world.file(region, ''), { recursive: true });
    assert.equal((await world.status()).code, 6);
  });
});
