/**
 * Ways in which backups are useless in practice, each on a world of its own. What a drill must make of it: exactly these tests fail, each with
 * this reason, and nothing of the drill is left.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { takeFullBackup } from '../../src/backup/full.ts';
import { openVault } from '../../src/cli/wire.ts';
import { encodeGap } from '../../src/format/log-gap.ts';
import { withStoreAt } from '../harness/command.ts';
import {
  type DrilledWorld,
  type DrillWorld,
  flipBit,
  makeDrillWorld,
  REGIONS,
} from '../harness/drill-world.ts';
import { backupDefaults, testClock } from '../harness/memory-backup.ts';
import { type S3Server, startS3Server } from '../harness/s3-server/server.ts';

const run = promisify(execFile);

/** What restores from the vault itself, whole. */
const WHOLE = ['full_restore', 'point_in_time_recovery'];
const RESTORES = ['partial_restore', ...WHOLE];
const EVERYWHERE = [...RESTORES, 'cross_region_restore'];

interface Sabotage {
  readonly way: string;
  readonly damage?: (world: DrillWorld) => void | Promise<void>;
  /** Sections of the configuration. */
  readonly config?: string;
  readonly words?: (world: DrillWorld) => readonly string[];
  /** Tests that must fail, and no others. */
  readonly fails: readonly string[];
  /** What the first of them says; null where nothing fails. */
  readonly reason: RegExp | null;
}

const newest = 'backups/incremental-*/';

const SABOTAGES: readonly Sabotage[] = [
  {
    way: 'a bit of the newest backup is flipped',
    damage: (world) => flipBit(world.file('vault', `${newest}events-00001.columns.*`)),
    // The drawn instants lie before the newest backup, or are reached from it.
    fails: ['backup_verification', ...RESTORES],
    reason: /is not sound: .*checksum/,
    words: () => ['--sample', '100'],
  },
  {
    way: 'the full backup that the newest one builds on was pruned by hand',
    damage: (world) => removeParent(world),
    fails: ['backup_verification'],
    reason: /chain_broken: .*builds on, is not in the vault/,
  },
  {
    way: 'the manifest of that one is gone',
    damage: (world) => rmSync(join(parentOf(world), 'manifest.json')),
    fails: ['backup_verification'],
    reason: /chain_broken: .*builds on, has no manifest/,
  },
  {
    way: 'a manifest is cut off',
    damage: (world) => writeFileSync(world.file('vault', `${newest}manifest.json`), '{'),
    fails: ['backup_verification'],
    reason: /manifest of backup .* cannot be used/,
  },
  {
    way: 'all that is in the vault is gone',
    damage: (world) => rmSync(join(world.path, 'vault/backups'), { recursive: true }),
    fails: ['backup_verification', ...RESTORES],
    reason: /no backup in/,
  },
  {
    way: 'files of the change log are missing, and no backup was taken since',
    damage: async (world) => {
      await world.append(2);
      await world.succeed(['archive', '--once']);
      await world.append(2);
      await world.succeed(['archive', '--once']);
      const files = globSync('vault/log/*/*.log*', { cwd: world.path }).sort();
      rmSync(join(world.path, files.at(-2)!));
    },
    fails: ['backup_verification', 'point_in_time_recovery'],
    reason: /nothing is there from .* and no gap is marked/,
  },
  {
    way: 'the change log has a gap, and no backup was taken since',
    damage: async (world) => {
      await world.append(2);
      await world.succeed(['archive', '--once']);
      await world.append(2);
      await world.succeed(['archive', '--once']);
      const lost = globSync('vault/log/*/*.log', { cwd: world.path }).sort().at(-2)!;
      rmSync(join(world.path, lost));
      const [from, to] = basename(lost, '.log')
        .split('-')
        .map((text) => BigInt(`0x${text}`)) as [bigint, bigint];
      const marker = { from, to, reason: 'slot_lost', message: 'the slot was lost', noticedAt: NOTICED };
      writeFileSync(join(world.path, lost.replace(/log$/, 'gap')), encodeGap(marker));
    },
    fails: ['point_in_time_recovery'],
    reason: /goes on until .* and that cannot be reached: there is a gap: the slot was lost/,
  },
  {
    way: 'a file of the change log is damaged',
    damage: (world) => {
      const files = globSync('vault/log/*/*.log*', { cwd: world.path }).sort();
      flipBit(join(world.path, files.at(-1)!), 500);
    },
    fails: ['backup_verification', 'point_in_time_recovery'],
    reason: /log .* is not sound/,
  },
  {
    way: 'a clock was wrong when a backup was taken',
    damage: async (world) => {
      const clock = { ...testClock, now: () => Date.now() + 36 * 3_600_000 };
      const vault = openVault(join(world.path, 'vault'));
      await withStoreAt(world.store, (store) => takeFullBackup({ store, vault, clock }, backupDefaults));
    },
    fails: ['backup_verification'],
    reason: /minutes from now: a clock is wrong/,
  },
  {
    way: 'the replica was not brought up to date',
    damage: async (world) => {
      await world.append(4);
      await world.succeed(['backup', 'full']);
      await sleep(1100);
    },
    config: `${REGIONS}objectives: { region_rpo: 1s }\n`,
    fails: ['cross_region_restore'],
    reason: /objective region_rpo is missed/,
  },
  {
    way: 'the replica is gone',
    damage: (world) => rmSync(join(world.path, 'near'), { recursive: true }),
    fails: ['cross_region_restore'],
    reason: /near/,
  },
  {
    way: 'the replica is damaged',
    damage: (world) => flipBit(world.file('near', `${newest}events-00001.columns.*`)),
    fails: ['cross_region_restore'],
    reason: /damaged|digest|checksum/,
  },
  {
    way: 'more was written than may be lost',
    damage: async (world) => {
      await world.append(4);
      await sleep(1100);
    },
    config: `${REGIONS}objectives: { rpo: 1s }\n`,
    fails: ['point_in_time_recovery'],
    reason: /objective rpo is missed/,
  },
  {
    way: 'the sample is none',
    config: `${REGIONS}drill: { sample_restore_percentage: 0 }\n`,
    fails: ['partial_restore'],
    reason: /a sample of 0 % restores nothing/,
  },
  {
    way: 'the application needs a column that no backup has',
    config: `${REGIONS}drill: { checks: [{ name: tenants, sql: "SELECT count(*) FROM eventcore_events WHERE tenant IS NULL", expect: 0 }] }\n`,
    fails: [...WHOLE, 'cross_region_restore'],
    reason: /statement tenants fails on the restored store: .*tenant/,
  },
  {
    way: 'a rule of the business does not hold',
    config: `${REGIONS}drill: { checks: [{ name: few, sql: "SELECT count(*) > 5 FROM eventcore_events", expect: false }] }\n`,
    fails: [...WHOLE, 'cross_region_restore'],
    reason: /statement few does not give what it must/,
  },
  {
    way: 'the application no longer knows an event',
    damage: (world) => writeFileSync(join(world.path, 'fold.mjs'), FORGETFUL),
    config: `${REGIONS}drill: { checks: [{ module: ./fold.mjs }] }\n`,
    words: () => ['--sample', '100'],
    fails: EVERYWHERE,
    reason: /fold.mjs cannot fold an event of type "Added" .*unknown event/,
  },
  {
    way: 'the live store holds other events than were backed up',
    damage: (world) => {
      const database = new DatabaseSync(join(world.path, 'events.db'));
      database.exec(`UPDATE eventcore_events SET event_data = '{"cents":99}' WHERE stream_version = 2`);
      database.close();
    },
    words: () => ['--sample', '100'],
    fails: ['partial_restore'],
    reason: /is another one in the live store than in the backup/,
  },
  {
    way: 'nothing is signed, and signatures are demanded',
    damage: (world) => {
      writeFileSync(join(world.path, 'encryption'), `encryption: { require_signature: true }\n`);
      world.configure(REGIONS);
    },
    fails: ['backup_creation', 'backup_verification', ...EVERYWHERE],
    reason: /not signed/,
  },
];

const NOTICED = '2026-11-23T04:05:06.000Z';

const FORGETFUL = `export const initialState = () => ({ cents: 0 });
export function evolve(state, { type, data }) {
  if (type !== 'Put') throw new Error('unknown event');
  return { cents: state.cents + data.cents };
}
`;

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

function parentOf(world: DrillWorld): string {
  const child = world.file('vault', `${newest}manifest.json`);
  const { parentId } = JSON.parse(readText(child)) as { parentId: string };
  return join(world.path, `vault/backups/full-backup-${parentId}.eventcore`);
}

function removeParent(world: DrillWorld): void {
  rmSync(parentOf(world), { recursive: true });
}

function assertFails(drilled: DrilledWorld, fails: readonly string[], reason: RegExp | null): void {
  assert.deepEqual([...drilled.failed], [...fails], JSON.stringify(drilled.reasons, null, 1));
  assert.deepEqual([drilled.code, drilled.overallSuccess], fails.length === 0 ? [0, true] : [4, false]);
  if (reason !== null) assert.match(drilled.reasons[fails[0]!]!, reason);
}

function assertNothingLeft(world: DrillWorld): void {
  assert.deepEqual(globSync('{*drill-*{,/**},vault/drills/scratch/**}', { cwd: world.path }), []);
}

describe('a drill finds what makes backups useless', { concurrency: 2 }, () => {
  let sound: DrillWorld;
  before(async () => {
    sound = await makeDrillWorld();
  });
  after(() => sound.remove());

  it('and finds nothing where all is well', async () => {
    const world = sound.copy();
    const drilled = await world.drill();
    assertFails(drilled, [], null);
    assert.deepEqual(new Set(Object.values(drilled.states)), new Set(['passed']));
    assertNothingLeft(world);
    world.remove();
  });

  for (const { way, damage, config, words, fails, reason } of SABOTAGES) {
    it(way, async () => {
      const world = sound.copy();
      try {
        if (config !== undefined) world.configure(config);
        await damage?.(world);
        assertFails(await world.drill(words?.(world) ?? []), fails, reason);
        assertNothingLeft(world);
      } finally {
        world.remove();
      }
    });
  }

  it('a heartbeat that nobody hears is no failure', async () => {
    const world = sound.copy();
    try {
      world.configure(`${REGIONS}drill: { heartbeat_url: "http://127.0.0.1:9/secret-token" }\n`);
      const drilled = await world.drill();
      assertFails(drilled, [], null);
      assert.equal(drilled.heartbeat, 'failed');
      assert.doesNotMatch(drilled.stderr, /secret-token/);
    } finally {
      world.remove();
    }
  });

  it('a heartbeat is called by a drill that passed, and by no other', async () => {
    const world = sound.copy();
    let calls = 0;
    const server = http.createServer((_, response) => {
      calls += 1;
      response.end('ok');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as { port: number };
      world.configure(`${REGIONS}drill: { heartbeat_url: "http://127.0.0.1:${port}/ping" }\n`);
      assert.equal((await world.drill()).heartbeat, 'called');
      assert.equal((await world.drill(['--only', 'backup_verification'])).heartbeat, null);
      removeParent(world);
      assert.equal((await world.drill()).heartbeat, null);
      assert.equal(calls, 1);
    } finally {
      server.close();
      world.remove();
    }
  });

  it('a target that is too small says so before it is filled', async (t) => {
    const world = sound.copy();
    const small = join(world.path, 'small');
    mkdirSync(small);
    try {
      await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small]);
    } catch {
      world.remove();
      return t.skip('only root can mount a filesystem');
    }
    try {
      const drilled = await world.drill(['--target', `sqlite:${small}`]);
      assertFails(
        drilled,
        ['full_restore', 'point_in_time_recovery', 'cross_region_restore'],
        /no room to restore/,
      );
    } finally {
      await run('umount', ['-l', small]);
      world.remove();
    }
  });
});

describe('a drill finds what is wrong with keys', () => {
  let sealed: DrillWorld;
  const encryption = (recipient: string, identity: string | null): string =>
    `encryption:\n  recipients: [${recipient}]\n  sign_key: file:sign.pem\n${identity === null ? '' : `  identities: [file:${identity}]\n`}`;
  let recipient: string;
  let stranger: string;
  before(async () => {
    const [own, other] = [await generateX25519Identity(), await generateX25519Identity()];
    [recipient, stranger] = [await identityToRecipient(own), await identityToRecipient(other)];
    const { privateKey } = crypto.generateKeyPairSync('ed25519');
    const files = {
      'own.txt': `${own}\n`,
      'other.txt': `${other}\n`,
      'sign.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
    sealed = await makeDrillWorld(encryption(recipient, 'own.txt'), files);
  });
  after(() => sealed.remove());

  const withKeys = async (text: string, work: (world: DrillWorld) => Promise<void>): Promise<void> => {
    const world = sealed.copy();
    try {
      writeFileSync(join(world.path, 'encryption'), text);
      world.configure(REGIONS);
      await work(world);
    } finally {
      world.remove();
    }
  };

  it('nothing, where they are right; and no evidence names a stream', async () => {
    const drilled = await sealed.drill();
    assertFails(drilled, [], null);
    assertNoNames(sealed);
  });

  it('the key is lost', async () => {
    await withKeys(encryption(recipient, null), async (world) => {
      const drilled = await world.drill();
      assertFails(drilled, EVERYWHERE, /no identity is given/);
      assert.ok(drilled.notes.some((note) => note.includes('only digests were checked')));
    });
  });

  it('all is sealed for somebody else', async () => {
    await withKeys(encryption(stranger, 'own.txt'), async (world) => {
      const drilled = await world.drill(['--only', 'backup_creation']);
      assertFails(drilled, ['backup_creation', 'negative_canary'], /age1|identity/);
    });
    await withKeys(encryption(stranger, 'other.txt'), async (world) => {
      const drilled = await world.drill(['--only', 'full_restore', '--only', 'backup_creation']);
      assertFails(drilled, ['full_restore'], /age1|identity/);
    });
  });

  it('the record of a key was removed', async () => {
    await withKeys(encryption(recipient, 'own.txt'), async (world) => {
      rmSync(world.file('vault', `${newest}key-*.json`));
      assertFails(await world.drill(), ['backup_verification', ...RESTORES], /key_record_missing/);
    });
  });

  it('the damage that a drill reports is told in evidence without the names of streams', async () => {
    await withKeys(encryption(recipient, 'own.txt'), async (world) => {
      writeFileSync(join(world.path, 'fold.mjs'), FORGETFUL);
      world.configure(`${REGIONS}drill: { checks: [{ module: ./fold.mjs }] }\n`);
      assert.notEqual((await world.drill(['--sample', '100'])).failed.length, 0);
      assertNoNames(world);
    });
  });
});

function assertNoNames(world: DrillWorld): void {
  const evidence = globSync('vault/drills/*', { cwd: world.path });
  assert.ok(evidence.length >= 2);
  for (const name of evidence) assert.doesNotMatch(readText(join(world.path, name)), /order-\d|cents/);
}

describe('a drill finds what is wrong with buckets', () => {
  let world: DrillWorld;
  let server: S3Server;
  const variables = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'] as const;
  const use = (who: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }): void => {
    [who.accessKeyId, who.secretAccessKey, who.sessionToken].forEach((value, i) => {
      if (value === undefined) delete process.env[variables[i]!];
      else process.env[variables[i]!] = value;
    });
  };
  const at = (bucket: string, more = ''): string =>
    `s3://${bucket}/shop?endpoint=${server.endpoint}&forcePathStyle=true${more}`;
  before(async () => {
    world = await makeDrillWorld();
    server = await startS3Server();
    use(server);
    for (const bucket of ['far', 'cold']) server.createBucket(bucket);
  });
  after(async () => {
    for (const name of variables) delete process.env[name];
    await server.stop();
    world.remove();
  });

  it('credentials of a region have expired', async () => {
    world.configure(
      `primary: { region: here, storage: ./vault }\nreplicas: [{ region: far, storage: "${at('far')}" }]\n`,
    );
    await world.succeed(['sync']);
    assertFails(await world.drill(['--only', 'cross_region_restore']), [], null);
    use(server.addUser({ sessionMs: -1 }));
    assertFails(await world.drill(), ['cross_region_restore'], /ExpiredToken/);
    use(server);
  });

  it('the archive is not brought back yet', async () => {
    const cold = at('cold', '&storageClass=GLACIER');
    // What is small stays readable.
    const note = crypto.randomBytes(200_000).toString('base64');
    await withStoreAt(world.store, (store) =>
      store.append([{ streamId: 'large', events: [{ type: 'Noted', data: JSON.stringify({ note }) }] }]),
    );
    await world.succeed(['backup', 'full', '--no-verify', '--vault', cold]);
    world.configure(
      `primary: { region: here, storage: ./vault }\narchive: { region: cold, storage: "${cold}", after_days: 1 }\n`,
    );
    server.restoreMs = 3_600_000;
    assertFails(await world.drill(), ['cross_region_restore'], /in the archive tier .* cannot be read yet/);
    server.passTime(2 * 3_600_000);
    assertFails(await world.drill(['--only', 'cross_region_restore']), [], null);
  });

  it('the vault takes nothing new', async () => {
    world.configure('');
    const full = at('far');
    use(server.addUser({ denied: ['PutObject', 'DeleteObject', 'AbortMultipartUpload'] }));
    const drilled = await world.drill([
      '--vault',
      full,
      '--only',
      'backup_creation',
      '--only',
      'backup_verification',
    ]);
    assert.deepEqual([...drilled.failed], ['backup_creation']);
    assert.match(drilled.reasons.backup_creation!, /AccessDenied/);
    assert.equal(drilled.evidence, null);
    use(server);
  });
});
