import crypto from 'node:crypto';
import { BackupError } from '../../../src/core/errors.ts';
import type { KeyRing, Signer } from '../../../src/core/key-ring.ts';
import { NO_TRUST_POLICY } from '../../../src/core/trust.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { encodeKeyRecord, keyRecordName } from '../../../src/format/key-record.ts';
import { type LogTimeline, readLogCatalog } from '../../../src/format/log-catalog.ts';
import { openLogs } from '../../../src/format/log-keys.ts';
import { logScope } from '../../../src/format/log-name.ts';
import { lastBlock, readLogBlocks } from '../../../src/format/log-reader.ts';
import type { ReadKeys } from '../../../src/format/open-bundle.ts';
import { importSealKey, sealKeyId } from '../../../src/format/seal.ts';
import { verifyLog } from '../../../src/integrity/verify/log.ts';
import { makeRandom, type Random } from '../../../src/testing/random.ts';
import { FOLDER } from '../../format/log-batches.ts';
import { keysOf, makeOpenRing, makeRing } from '../../harness/test-keys.ts';
import { pick } from '../engine/mutate.ts';
import { type Objects, openPacked, packVault, unpackVault } from '../engine/packed-vault.ts';
import { demand, type FuzzTarget } from '../engine/target.ts';
import { cutBlocks, reshapeLog } from './reshape-log.ts';
import { plainLog, sampleLog } from './sample-logs.ts';
import { sealLog } from './seal-log.ts';

const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The same in every run. */
function signerOf(byte: number): Signer {
  const der = Buffer.concat([PKCS8_HEAD, Buffer.alloc(32, byte)]);
  const privateKey = crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return {
    name: `ed25519:${crypto.createPublicKey(privateKey).export({ format: 'jwk' }).x}`,
    sign: (message) => crypto.sign(null, message, privateKey),
    memoryKey: Buffer.alloc(32, byte + 1),
  };
}

const HOST = signerOf(17);
const STRANGER = signerOf(27);
const KEY = Buffer.alloc(32, 9);
const KEY_ID = sealKeyId(importSealKey(KEY));
const SCOPE = logScope(FOLDER);

/** Opens what a record says, whatever that is, if it says anything. */
const ring: KeyRing = {
  ...makeOpenRing(),
  unwrap: async ([key]) => {
    if (key === undefined) throw new BackupError('key_wrong', 'it is sealed for nobody');
    return Buffer.from(key.wrapped, 'base64');
  },
};

const OWNER = keysOf(ring, HOST);
const PUBLIC_KEYS = keysOf(makeRing([]));
const STRICT: ReadKeys = {
  ...OWNER,
  trust: { trustedSigners: [HOST.name], requireSignature: true },
};

/** Logs that are sealed anew in each reshape, as can be done by who knows the recipients. */
let plainLogs: Uint8Array[] = [];
/** Digests of all that the host ever signed. */
const signed = new Set<string>();

function seal(random: Random, packed: Uint8Array, signer: Signer | null): Objects {
  const sealed = sealLog(unpackVault(packed), { random, key: KEY, scope: SCOPE, signer });
  const wrapped = KEY.toString('base64');
  const record = {
    ...{ keyId: KEY_ID, number: 1, scope: SCOPE, createdAt: '2026-11-23T04:05:06.789Z', software: 'test' },
    recipients: [{ kind: 'test', recipient: 'anyone', wrapped }],
  };
  return sealed.set(FOLDER + keyRecordName(KEY_ID, 1), encodeKeyRecord(record, signer));
}

async function makeSeeds(): Promise<Uint8Array[]> {
  plainLogs = [await sampleLog(), await plainLog()];
  const random = makeRandom(1);
  const ours = plainLogs.map((log) => seal(random, log, HOST));
  for (const bytes of ours.flatMap((objects) => [...objects.values()])) {
    for (const { digest } of cutBlocks(bytes) ?? []) signed.add(digest);
  }
  return [...ours, seal(random, plainLogs[1]!, null)].map(packVault);
}

/** Of what is sealed the headers, or, by somebody who has no key to sign with, a changed log sealed as a whole. */
function reshape(random: Random, seed: Uint8Array): Uint8Array {
  if (random.below(2) === 0) return reshapeLog(random, seed);
  let plain = pick(random, plainLogs);
  do plain = reshapeLog(random, plain);
  while (random.below(3) === 0);
  try {
    return packVault(seal(random, plain, random.below(2) === 0 ? STRANGER : null));
  } catch {
    // What was changed is no header that could be sealed.
    return plain;
  }
}

const REFUSALS = ['damaged', 'store_unsupported', 'log_gap', 'signature_invalid', 'key_missing', 'key_wrong'];

async function refusedOr(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof BackupError) || !REFUSALS.includes(error.code)) throw error;
  }
}

async function isSound(vault: Vault, timeline: LogTimeline, quick = false): Promise<boolean> {
  return (await verifyLog(vault, timeline, { quick })).problems.length === 0;
}

async function readAll(vault: Vault, timeline: LogTimeline, keys: ReadKeys): Promise<void> {
  const [opened] = openLogs(vault, [timeline], keys);
  for (const { files } of timeline.spans) {
    for await (const block of readLogBlocks(vault, files, { keys: opened!.keys, trust: keys.trust })) {
      if (keys === STRICT)
        demand(signed.has(block.digest), 'what the host did not sign is not taken for its own');
      await block.transactions();
      demand(
        keys !== PUBLIC_KEYS || block.header.sealing == null,
        'nothing that is sealed is read without a key',
      );
      await block.events();
      await block.removals();
      await block.describedEvents();
      await block.lastEventId(HOST);
    }
  }
}

const hostileSealedLog: FuzzTarget = {
  name: 'hostile-sealed-log',
  refusals: [],
  seeds: makeSeeds,
  reshape,
  run: async (input) => {
    const vault = await openPacked(input);
    const timelines = await readLogCatalog(vault);
    let sound = timelines.length > 0;
    for (const timeline of timelines) {
      const [opened] = openLogs(vault, [timeline], { ...OWNER, trust: NO_TRUST_POLICY });
      const [closed] = openLogs(vault, [timeline], PUBLIC_KEYS);
      // Damage is reported, not thrown; and whoever has the key finds all that others find.
      const isWhole = await isSound(vault, opened!);
      demand(!isWhole || (await isSound(vault, closed!)), 'what opens soundly is sound without a key');
      await isSound(vault, opened!, true);
      for (const keys of [OWNER, STRICT, PUBLIC_KEYS]) await refusedOr(() => readAll(vault, timeline, keys));
      await refusedOr(() => lastBlock(vault, opened!));
      sound &&= isWhole;
    }
    return sound;
  },
};

export const SEALED_LOG_TARGETS: readonly FuzzTarget[] = [hostileSealedLog];
