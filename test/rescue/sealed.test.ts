/** Sealed backups and the rescue script: what was sealed for age recipients or a passphrase opens with nothing but Node. */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { CHUNK_FORMATS, COMPRESSIONS } from '../../src/core/manifest.ts';
import { ageRecipient } from '../../src/keys/age.ts';
import { passphraseRecipient } from '../../src/keys/passphrase.ts';
import { makeKeyRing } from '../../src/keys/ring.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { addIncremental, grow, nextInstant } from '../harness/chain.ts';
import { makeFolder } from '../harness/command.ts';
import { backUp } from '../harness/memory-backup.ts';
import { keysOf, makeSigner } from '../harness/test-keys.ts';
import { rescue, rescueModule } from './run-rescue.ts';

/** Written once by the age library for two identities, the second of which is here, and for a passphrase; both hold 0, 1, … 31. */
const IDENTITY = 'AGE-SECRET-KEY-12JGAEEK77SMFZV6DSGM9FYM9F4Y0TRU6YDAKF5KJTHC30MZ2C5LQUPZXTU';
const FOR_IDENTITIES =
  'YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSB6d0VVZlFSY01sTXprWk5MTUsxVU51VFJsK0RWRWZnU3BWSjBETnNYamxjCmpxcldRS0pDZTc0Mno1MzJsVXZPT0JSbXl5NDA5dHpnYmdyY2twWXVGTWsKLT4gWDI1NTE5IDQxYml5eXlFOERid1lzU3FaQkcxd3NEK3RkS292YWZnckl6d2lkSFhURzAKRmRKeC9iTERzRmpTb3ArK01FdGtReStURWVKVkJTMzlmU2h4dEpMU1VCQQotLS0gSjFGdE13UEM3MG1PMkFtRmQ5Y1lyT1ZWTkFRRjlzWTViK2Jxa2Q5YnJXcwoigX4c5VyoD0KxAK4wIA+FUDZraveNx/WK2LVcptQo0XkYOUsg2cTWwB8QWCLzb4vpr0jw2Nr9cWMsFEt0JpHr';
const FOR_PASSPHRASE =
  'YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBPbWJ1SklTYS8veSs5SlNxeEN0d1hBIDEwCmRhNWxQaC9xMXR0YitDOExhekZodVBSZDlyQ2tCOUtjYWN3Y0R5WHZ5Y0kKLS0tIFFXK1BOVkNPZzdKTW1hazJ1R1VhUTk2UVhZZ2RLSUExN2FFaHBzbytGREkKbQ/R0AnWjQbuwYGTDoJ98cVykIfvfwEMxeIvkhbjkrfdE/RzzLZuBrDdn/VIIJQNiHTtMYvG812AHxMtERrdng==';

let folder: string;
let remove: () => Promise<void>;
let identity: string;
before(async () => {
  ({ path: folder, remove } = await makeFolder());
  identity = await generateX25519Identity();
  await writeFile(join(folder, 'identity'), `# created: today\n# public key: age1…\n${identity}\n`);
  await writeFile(join(folder, 'passphrase'), 'correct horse\n');
  await writeFile(join(folder, 'other'), `${await generateX25519Identity()}\n`);
});
after(() => remove());

const opening = (kind: 'identity' | 'passphrase-file', name: string) => [`--${kind}`, join(folder, name)];

describe('an age file', async () => {
  const { openAge, useSecrets } = await rescueModule('rescue-sealed.mjs');
  const plain = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
  const open = (text: string): unknown => openAge!(Buffer.from(text, 'base64'));

  before(async () => {
    await writeFile(join(folder, 'known'), `${IDENTITY}\n`);
    useSecrets!({ identity: join(folder, 'known'), passphrase: join(folder, 'passphrase') });
  });

  it('of the age library opens with an identity and with a passphrase', () => {
    assert.deepEqual(open(FOR_IDENTITIES), plain);
    assert.deepEqual(open(FOR_PASSPHRASE), plain);
  });

  it('of which any bit is flipped does not open', () => {
    for (const text of [FOR_IDENTITIES, FOR_PASSPHRASE]) {
      const bytes = Buffer.from(text, 'base64');
      for (let at = 22; at < bytes.length; at += text === FOR_PASSPHRASE ? 7 : 1) {
        const flipped = Buffer.from(bytes);
        flipped[at]! ^= 1;
        let opened: unknown = null;
        try {
          opened = openAge!(flipped);
        } catch (error) {
          assert.ok(error instanceof Error);
        }
        assert.equal(opened, null, `byte ${at}`);
      }
    }
  });

  it('does not open with a mistyped identity, and the hybrid kind is left to age itself', async () => {
    const mistyped = join(folder, 'mistyped');
    await writeFile(mistyped, IDENTITY.replace('QUPZ', 'QUPX'));
    assert.throws(() => useSecrets!({ identity: mistyped }), /misspelt/);
    await writeFile(
      mistyped,
      'AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR',
    );
    assert.throws(() => useSecrets!({ identity: mistyped }), /use age itself/);
  });
});

/** A plain vault and a sealed one of the same store: a full backup and an incremental one. Gives the path of the sealed one. */
async function makeVaults(
  name: string,
  format: 'columns' | 'jsonl' | 'msgpack',
  compression: 'none' | 'gzip' | 'zstd',
) {
  const recipients = [
    ageRecipient(await identityToRecipient(await generateX25519Identity())),
    ageRecipient(await identityToRecipient(identity)),
    passphraseRecipient('correct horse', 10),
  ];
  const keys = keysOf(makeKeyRing(recipients, []), makeSigner());
  const store = memoryStore();
  await store.initialise();
  const [sealed, plain] = [`${name}-sealed`, `${name}-plain`].map((one) => {
    const path = join(folder, one);
    return { path, vault: openDirectoryVault(path) };
  }) as [
    { path: string; vault: ReturnType<typeof openDirectoryVault> },
    { path: string; vault: ReturnType<typeof openDirectoryVault> },
  ];
  const options = { format, compression, chunkBytes: 500 };
  for (const { vault } of [sealed, plain]) await vault.open({ create: true });
  await grow(store, 0, 20);
  await backUp(store, sealed.vault, options, keys);
  await backUp(store, plain.vault, options);
  await nextInstant();
  await grow(store, 20, 10);
  await addIncremental(store, sealed.vault, options, keys);
  await addIncremental(store, plain.vault, options);
  for (const { vault } of [sealed, plain]) await vault.close();
  return { sealed: sealed.path, plain: plain.path };
}

async function namesOf(vault: string, part: RegExp): Promise<string[]> {
  const names = await readdir(join(vault, 'backups'), { recursive: true });
  return names.filter((name) => part.test(name)).map((name) => join(vault, 'backups', name));
}

describe('the rescue script opens a sealed chain', () => {
  for (const [i, format] of CHUNK_FORMATS.entries()) {
    const compression = COMPRESSIONS[i]!;
    it(`with an identity, a passphrase or the keys: ${format}, ${compression}`, async () => {
      const { sealed, plain } = await makeVaults(format, format, compression);
      const { stdout: expected } = await rescue(plain);
      assert.equal(expected.split('\n').length - 1, 60);
      for (const flags of [opening('identity', 'identity'), opening('passphrase-file', 'passphrase')]) {
        const ran = await rescue(sealed, ...flags);
        assert.deepEqual([ran.code, ran.stdout], [0, expected], ran.stderr);
      }
    });
  }

  it('with data keys that age itself gave, one a line', async () => {
    const { sealed, plain } = await makeVaults('keys', 'columns', 'zstd');
    const { openAge, useSecrets } = await rescueModule('rescue-sealed.mjs');
    useSecrets!({ identity: join(folder, 'identity') });
    const keys: string[] = [];
    for (const path of await namesOf(sealed, /key-.*\.json$/)) {
      const { recipients } = JSON.parse(await readFile(path, 'utf8'));
      keys.push((openAge!(Buffer.from(recipients[1].wrapped, 'base64')) as Buffer).toString('hex'));
    }
    assert.equal(keys.length, 2);
    await writeFile(join(folder, 'keys.hex'), `${keys.join('\n')}\n`);
    const ran = await rescue(sealed, '--key-file', join(folder, 'keys.hex'));
    assert.deepEqual([ran.code, ran.stdout], [0, (await rescue(plain)).stdout]);
  });

  it('for nobody else, says for whom it is, and shows no secret', async () => {
    const { sealed } = await makeVaults('shut', 'columns', 'zstd');
    for (const flags of [[], opening('identity', 'other')]) {
      const ran = await rescue(sealed, ...flags);
      assert.deepEqual([ran.code, ran.stdout], [1, '']);
      assert.match(
        ran.stderr,
        /does not open key [0-9a-f]{32}; it is wrapped for age1\w+, age1\w+, passphrase/,
      );
      assert.ok(!ran.stderr.includes('AGE-SECRET'));
    }
    assert.equal((await rescue(sealed, '--list')).code, 0, 'a list needs no key');
  });
});

describe('the rescue script finds what was done to a sealed backup', () => {
  let sealed: string;
  let expected: string;
  const flags = () => opening('identity', 'identity');

  before(async () => {
    ({ sealed } = await makeVaults('damage', 'columns', 'zstd'));
    expected = (await rescue(sealed, ...flags())).stdout;
    assert.equal(expected.split('\n').length - 1, 60);
  });

  /** Changes the manifest as who has no key can: with all digests made anew. */
  async function forge(path: string, change: (manifest: Record<string, never>) => unknown): Promise<void> {
    const { form, sha256 } = await rescueModule('rescue-sealed.mjs');
    const { manifestChecksum: _, ...manifest } = JSON.parse(await readFile(path, 'utf8'));
    change(manifest);
    const manifestChecksum = sha256!(form!(manifest));
    await writeFile(path, `${form!({ ...manifest, manifestChecksum })}\n`);
  }

  const cases: [string, RegExp, (copy: string) => Promise<void>][] = [
    [
      'a manifest with digests made anew',
      /its manifest was not written by who had its key/,
      async (copy) => {
        const [path] = await namesOf(copy, /incremental.*manifest\.json$/);
        await forge(path!, (manifest) => Object.assign(manifest, { software: 'another' }));
      },
    ],
    [
      'an unknown way of sealing',
      /sealed in an unknown way/,
      async (copy) => {
        const [path] = await namesOf(copy, /incremental.*manifest\.json$/);
        await forge(path!, ({ sealing }) => Object.assign(sealing!, { cipher: 'AES-256-CBC' }));
      },
    ],
    [
      'a flipped bit of a key record',
      /does not have its checksum/,
      async (copy) => {
        for (const path of await namesOf(copy, /key-.*\.json$/)) {
          await writeFile(path, (await readFile(path, 'utf8')).replace('"number": 1', '"number": 2'));
        }
      },
    ],
    [
      'a flipped bit of a chunk',
      /does not have its digest/,
      async (copy) => {
        for (const path of await namesOf(copy, /full.*events.*\.zst\.sealed$/)) {
          const bytes = await readFile(path);
          bytes[bytes.length >> 1]! ^= 1;
          await writeFile(path, bytes);
        }
      },
    ],
  ];
  for (const [what, message, damage] of cases) {
    it(what, async () => {
      const copy = join(folder, `damage-${what.replaceAll(' ', '-')}`);
      await cp(sealed, copy, { recursive: true });
      await damage(copy);
      const ran = await rescue(copy, ...flags());
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, message);
      const going = await rescue(copy, ...flags(), '--keep-going');
      assert.equal(going.code, 1);
      const lines = going.stdout.split('\n');
      assert.ok(lines.length < 61 && lines.every((line) => expected.includes(line)));
    });
  }

  it('a piece that is put in another’s place, whatever its digest says', async () => {
    const { openPiece } = await rescueModule('rescue-sealed.mjs');
    const key = crypto.randomBytes(32);
    const place = ['a-backup', 'events-00001.columns.zst.sealed', 1, 'more'];
    const nonce = crypto.randomBytes(12);
    const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(Buffer.from(`eventcore-sealed-1\n${place.join('\n')}\n`));
    const piece = Buffer.concat([nonce, cipher.update('text'), cipher.final(), cipher.getAuthTag()]);
    assert.equal(String(openPiece!(piece, key, place)), 'text');
    for (const [at, other] of ['b', 'events-00002', 0, 'last'].entries()) {
      const moved = place.map((one, i) => (i === at ? other : one));
      assert.throws(() => openPiece!(piece, key, moved), /damaged, or not from there/);
    }
  });
});
