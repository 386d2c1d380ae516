import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { takeFullBackup } from '../../src/backup/full.ts';
import { archiveChains } from '../../src/upkeep/archive-tier.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { digestAt, makeFolder, runHere, withStoreAt } from '../harness/command.ts';
import { backupDefaults, testClock } from '../harness/memory-backup.ts';
import { leaseOf } from '../harness/region.ts';

interface Synced {
  readonly regions: readonly {
    readonly region: string;
    readonly copied: readonly string[];
    readonly objects: number;
    readonly log: { readonly objects: number };
    readonly lag: { readonly events: number | null; readonly seconds: number | null } | null;
    readonly problems: readonly { readonly object: string | null }[];
    readonly error: { readonly code: string } | null;
  }[];
}

describe('regions on the command line', () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let store: string;
  let config: string;
  before(async () => {
    folder = await makeFolder();
    store = `sqlite:${join(folder.path, 'events.db')}`;
    config = join(folder.path, 'eventcore.config.yaml');
    writeFileSync(config, POLICY);
    await withStoreAt(store, (opened) => opened.initialise());
    await append(3);
    await run(['archive', '--once']);
    await append(2);
    await run(['backup', 'incremental']);
    await append(2);
    await run(['archive', '--once']);
  });
  after(() => folder.remove());

  async function append(count: number): Promise<void> {
    const events = Array.from({ length: count }, (_, n) => ({ type: 'Noted', data: `{"n":${n}}` }));
    await withStoreAt(store, (opened) => opened.append([{ streamId: 'one', events }]));
  }

  async function run(words: readonly string[], code = 0) {
    const ran = await runHere([...words, '--config', config, '--store', store]);
    assert.equal(ran.code, code, `${words.join(' ')}: ${ran.stdout}${ran.stderr}`);
    return ran;
  }

  async function sync(words: readonly string[] = [], code = 0): Promise<Synced> {
    return JSON.parse((await run(['sync', '--json', ...words], code)).stdout) as Synced;
  }

  const at = (region: string): string => join(folder.path, region);
  const filesOf = (region: string): string[] =>
    globSync('{backups,log}/**/*.*', { cwd: at(region) })
      .filter((name) => !name.endsWith('.eventcore'))
      .sort();

  /** What only one region has left brings the store back. */
  async function assertRestores(region: string): Promise<void> {
    const target = `sqlite:${join(folder.path, `from-${region}.db`)}`;
    await run(['restore', '--to', target, '--region', region, '--replace']);
    assert.deepEqual(await digestAt(target), await digestAt(store));
  }

  it('say what a sync would copy, then copy it, then have nothing to do', async () => {
    const [foreseen] = (await sync(['--dry-run', '--region', 'near'])).regions;
    assert.deepEqual([foreseen!.copied.length, foreseen!.log.objects], [2, 2]);
    assert.ok(!existsSync(at('near')));
    const first = await sync();
    const [near, far, archive] = first.regions;
    assert.deepEqual([near!.copied.length, near!.log.objects, near!.lag!.events], [2, 2, 0]);
    assert.deepEqual([far!.copied, archive!.copied, archive!.lag], [near!.copied, [], null]);
    for (const region of ['near', 'far']) assert.deepEqual(filesOf(region), filesOf('primary'));
    await append(2);
    await run(['archive', '--once']);
    const [behind] = (await sync(['--dry-run', '--region', 'near'])).regions;
    assert.deepEqual([behind!.lag!.events, behind!.log.objects], [2, 1]);
    assert.notDeepEqual(filesOf('near'), filesOf('primary'));
    const text = (await run(['sync'])).stdout;
    assert.match(text, /Up to date: 3 of 3 regions/);
    const again = await sync();
    assert.deepEqual(
      again.regions.map(({ objects, log }) => objects + log.objects),
      [0, 0, 0],
    );
  });

  it('show, list and verify what a region has', async () => {
    const list = JSON.parse((await run(['list', '--json', '--region', 'far'])).stdout) as {
      vault: string;
      backups: { backupId: string }[];
    };
    assert.match(list.vault, /far$/);
    assert.equal(list.backups.length, 2);
    await run(['show', list.backups[0]!.backupId, '--region', 'far']);
    await run(['verify', '--region', 'far']);
  });

  it('copy all that is sound, name the rest, and heal the vault from a replica', async () => {
    const name = filesOf('primary').find((found) => found.includes('events-00001.columns'))!;
    const path = join(at('primary'), name);
    const bytes = readFileSync(path);
    const damaged = Buffer.from(bytes);
    damaged[20]! ^= 1;
    rmSync(path);
    writeFileSync(path, damaged);
    rmSync(at('far'), { recursive: true });
    const [far] = (await sync(['--region', 'far'], 10)).regions;
    assert.equal(far!.problems[0]!.object, name);
    assert.ok(!existsSync(join(at('far'), name)));
    const refused = await run(['verify'], 4);
    assert.match(refused.stdout, /FAILED/);
    const healed = JSON.parse((await run(['verify', '--heal', '--json'])).stdout) as {
      overallValid: boolean;
      healing: { healed: { name: string; was: string }[]; unhealed: unknown[] };
    };
    assert.equal(healed.overallValid, true);
    assert.deepEqual(healed.healing.unhealed, []);
    assert.deepEqual(
      healed.healing.healed.map((object) => [object.name, object.was]),
      [[name, 'damaged']],
    );
    assert.deepEqual(readFileSync(path), bytes);
    assert.deepEqual((await sync()).regions[1]!.problems, []);
    await run(['verify', '--heal', '--region', 'far']);
  });

  it('bring the store back from a replica alone, from the archive alone, and the primary from a replica', async () => {
    const source = openDirectoryVault(at('primary'));
    const target = openDirectoryVault(at('archive'));
    await source.open({ create: false });
    await target.open({ create: true });
    await run(['backup', 'full']);
    await sync();
    const clock = { ...testClock, now: () => Date.now() + 100 * 86_400_000 };
    const moved = await archiveChains({ source, target, clock, underLease: leaseOf(target) }, 90);
    assert.equal(moved.copied.length, 3);
    renameSync(at('primary'), at('lost'));
    await run(['restore', '--to', 'sqlite:./never.db', '--dry-run'], 6);
    for (const region of ['near', 'archive']) await assertRestores(region);
    await runHere(['sync', '--config', config, '--vault', at('near'), '--region', 'primary']);
    assert.deepEqual(filesOf('primary'), filesOf('near'));
    await assertRestores('primary');
  });

  it('archive from a replica what the primary has let go of, and keep it there until then', async () => {
    const old = join(folder.path, 'old.yaml');
    writeFileSync(old, POLICY_OF_30_DAYS);
    const vault = openDirectoryVault(at('keeps-long'));
    await vault.open({ create: true });
    const past = { ...testClock, now: () => Date.now() - 100 * 86_400_000 };
    const { manifest } = await withStoreAt(store, (opened) =>
      takeFullBackup({ store: opened, vault, clock: past }, backupDefaults),
    );
    await runHere(['backup', 'full', '--config', old, '--store', store]);
    await runHere(['backup', 'full', '--config', old, '--store', store, '--vault', at('keeps-long')]);
    const words = ['--config', old, '--json'];
    const prune = ['prune', '--region', 'keeps-long', '--keep-within', '30d', ...words];
    assert.match((await runHere(prune)).stdout, /not in the archive yet/);
    const { regions } = JSON.parse(
      (await runHere(['sync', '--region', 'archive', ...words])).stdout,
    ) as Synced;
    assert.deepEqual(regions[0]!.copied, [manifest.backupId]);
    assert.doesNotMatch((await runHere(prune)).stdout, /not in the archive yet/);
  });

  it('are refused where there are none, or other ones', async () => {
    const none = await runHere(['sync', '--vault', at('primary')]);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /no policy says where copies are/);
    assert.match((await run(['sync', '--region', 'nowhere'], 2)).stderr, /primary, near, far, archive/);
    assert.match((await run(['sync', '--region', 'primary'], 2)).stderr, /is the vault that is copied from/);
    const spelt = await run(['sync', '--region', 'near', '--vault', `file:${at('near')}/`], 2);
    assert.match(spelt.stderr, /is the vault that is copied from/);
    assert.match((await run(['list', '--region', 'far', '--vault', 'x'], 2)).stderr, /both name a vault/);
    assert.match((await run(['verify', '--region', 'nowhere'], 2)).stderr, /no region "nowhere"/);
    const lone = join(folder.path, 'lone.yaml');
    writeFileSync(lone, 'primary:\n  region: primary\n  storage: primary\n');
    const nothing = await runHere(['sync', '--config', lone]);
    assert.equal(nothing.code, 2);
    assert.match(nothing.stderr, /no replica and no archive/);
  });
});

const POLICY = `
primary:
  region: primary
  storage: primary
replicas:
  - region: near
    storage: near
  - region: far
    storage: far
archive:
  storage: archive
  after_days: 90
`;

const POLICY_OF_30_DAYS = `
primary:
  region: primary
  storage: keeps-short
  retention: 30d
replicas:
  - region: keeps-long
    storage: keeps-long
    retention: 120d
archive:
  storage: old-archive
  after_days: 90
`;
