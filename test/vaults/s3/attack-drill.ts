import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { join } from 'node:path';
import { digestAt, makeFolder, runHere, withStoreAt } from '../../harness/command.ts';
import { attackBucket, type Spoils } from '../../harness/s3-attack.ts';
import { connect, type S3Place } from '../../harness/s3-conformance/scene.ts';
import type { Credentials } from '../../harness/s3-server/server.ts';

const BUCKET = 'under-attack';
const EVENTS = 10;
const SMALL_EVENT_BYTES = 1000;

/**
 * A week of backups into a bucket with Object Lock, by a host that may not bypass it. Then whoever took over that host does all
 * that its credentials allow; then somebody restores every restore point that there was, by what each object first was.
 */
export async function holdDrill(
  place: S3Place,
  makeHost: (bucket: string) => Credentials | Promise<Credentials>,
  fullEventBytes = SMALL_EVENT_BYTES,
): Promise<Spoils> {
  await place.createBucket(BUCKET, { lock: true });
  const host = await makeHost(BUCKET);
  const folder = await makeFolder();
  const vault = `s3://${BUCKET}/shop?endpoint=${place.endpoint}&forcePathStyle=true`;
  try {
    return await withCredentials(host, async () => {
      const points = await backUpWeek(folder.path, `${vault}&lock=governance&lockDays=1`, fullEventBytes);
      const spoils = await attackAs(place, host);
      await assertLost(folder.path, vault);

      const checked = await run(`${vault}&versions=first`, 'sqlite:none.db', 'verify');
      assert.equal(checked.code, 0, `${checked.stdout}${checked.stderr}`);
      for (const [id, digest] of points) await assertRestores(folder.path, vault, id, digest);
      return spoils;
    });
  } finally {
    await folder.remove();
  }
}

/** A full backup and two incremental ones: the digest of the store at each, by its id. */
async function backUpWeek(
  folder: string,
  vault: string,
  fullEventBytes: number,
): Promise<ReadonlyMap<string, string>> {
  const store = `sqlite:${join(folder, 'events.db')}`;
  const points = new Map<string, string>();
  await withStoreAt(store, (opened) => opened.initialise());
  for (const kind of ['full', 'incremental', 'incremental']) {
    await append(store, kind === 'full' ? fullEventBytes : SMALL_EVENT_BYTES);
    const { document } = await json(vault, store, 'backup', kind);
    points.set(document.backupId, await digestAt(store));
  }
  return points;
}

function append(store: string, eventBytes: number): Promise<void> {
  return withStoreAt(store, async (opened) => {
    for (let i = 0; i < EVENTS; i += 1) {
      const data = JSON.stringify({ random: crypto.randomBytes(eventBytes).toString('base64') });
      await opened.append([{ streamId: `s-${i % 3}`, events: [{ type: 'Told', data }] }]);
    }
  });
}

async function attackAs(place: S3Place, host: Credentials): Promise<Spoils> {
  const { endpoint, region } = place;
  const s3 = connect({ endpoint, region, ...host });
  try {
    return await attackBucket(s3, BUCKET);
  } finally {
    s3.destroy();
  }
}

/** Or it was no attack. */
async function assertLost(folder: string, vault: string): Promise<void> {
  const to = `sqlite:${join(folder, 'never.db')}`;
  const { code } = await run(vault, to, 'restore', '--to', to);
  assert.notEqual(code, 0, 'the vault as it is now restores: the attacker did no harm');
}

async function assertRestores(folder: string, vault: string, id: string, digest: string): Promise<void> {
  const first = `${vault}&versions=first`;
  const to = `sqlite:${join(folder, `${id}.db`)}`;
  const restored = await run(first, to, 'restore', '--backup', id, '--to', to);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal(await digestAt(to), digest);
}

function run(vault: string, store: string, ...words: string[]) {
  return runHere(words, { env: { EVENTCORE_STORE: store, EVENTCORE_VAULT: vault } });
}

async function json(vault: string, store: string, ...words: string[]) {
  const ran = await run(vault, store, ...words, '--json');
  assert.equal(ran.code, 0, ran.stderr);
  return { document: JSON.parse(ran.stdout) as { backupId: string } };
}

/** Where the client of S3 looks for them. */
async function withCredentials<Result>(host: Credentials, work: () => Promise<Result>): Promise<Result> {
  const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;
  const before = names.map((name) => process.env[name]);
  [process.env[names[0]], process.env[names[1]]] = [host.accessKeyId, host.secretAccessKey];
  try {
    return await work();
  } finally {
    names.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    });
  }
}
