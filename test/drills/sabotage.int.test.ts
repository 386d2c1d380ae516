import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import { globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { withStoreAt } from '../harness/command.ts';
import { type DrillWorld, makeDrillWorld, REGIONS } from '../harness/drill-world.ts';
import { type S3Server, startS3Server } from '../harness/s3-server/server.ts';
import {
  assertFails,
  assertNothingLeft,
  EVERYWHERE,
  FORGETFUL,
  itFinds,
  newest,
  RESTORES,
  readText,
  removeParent,
  SABOTAGES,
} from './sabotage-cases.ts';

const run = promisify(execFile);

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

  itFinds(SABOTAGES, () => sound);

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
