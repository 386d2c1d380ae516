import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Signer } from '../../src/core/key-ring.ts';
import { NO_TRUST_POLICY } from '../../src/core/trust.ts';
import type { Vault } from '../../src/core/vault.ts';
import { checkLogSignatures } from '../../src/doctor/signature-checks.ts';
import { encodeHeader } from '../../src/format/log-header.ts';
import { writeLogFile } from '../../src/format/log-writer.ts';
import { readSpans } from '../../src/recovery/survey.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { changes, encodeBlocks, FOLDER, onlyTimeline } from '../format/log-batches.ts';
import { makeSigner } from '../harness/test-keys.ts';

const host = makeSigner();
const stranger = makeSigner();
const trusting = { trustedSigners: [host.name], requireSignature: false };
const strict = { ...trusting, requireSignature: true };

/** A log of two files, each by its own hand; null: by nobody. */
async function makeLog(first: Signer | null, second: Signer | null) {
  const vault = memoryVault();
  const [older] = await encodeBlocks([changes([{ commit: 10n }])], { signer: first });
  const newer = await encodeBlocks([changes([{ commit: 20n }]), changes([{ commit: 30n }])], {
    signer: second,
    previous: older!.digest,
  });
  await writeLogFile(vault, FOLDER, 10n, [older!]);
  return { vault, newer };
}

async function check(vault: Vault, trust = NO_TRUST_POLICY) {
  const { verdict, message, code } = await checkLogSignatures(
    vault,
    await readSpans(vault, [await onlyTimeline(vault)]),
    trust,
  );
  return { verdict, message, code };
}

it('the newest file of a log is to be signed by who is trusted', async () => {
  const { vault, newer } = await makeLog(stranger, host);
  await writeLogFile(vault, FOLDER, 11n, newer);
  for (const trust of [NO_TRUST_POLICY, trusting, strict]) {
    const { verdict, message } = await check(vault, trust);
    assert.equal(verdict, 'good');
    assert.ok(message.endsWith(`signed by ${host.name}`));
  }
});

it('what nobody signed, or a stranger, is bad where a signature is required, and else worth a look', async () => {
  for (const [signer, what] of [
    [null, /not signed/],
    [stranger, new RegExp(`signed by ${stranger.name}, who is not trusted`)],
  ] as const) {
    const { vault, newer } = await makeLog(host, signer);
    await writeLogFile(vault, FOLDER, 11n, newer);
    const refused = await check(vault, strict);
    assert.deepEqual([refused.verdict, refused.code], ['bad', 'signature_invalid']);
    assert.match(refused.message, /^block 0 of log\/.* is not to be trusted: it is /);
    const noticed = await check(vault, trusting);
    assert.equal(noticed.verdict, 'warn');
    assert.match(noticed.message, what);
    assert.equal((await check(vault)).verdict, signer === null ? 'skipped' : 'good');
  }
});

it('a signature that its signer did not make is bad, whoever is trusted', async () => {
  const { vault, newer } = await makeLog(host, host);
  const { signature, ...header } = newer[1]!.header;
  const { bytes } = encodeHeader({ ...header, signature: { ...signature!, signer: stranger.name } });
  const forged = { ...newer[1]!, parts: [bytes, ...newer[1]!.parts.slice(1)] };
  await writeLogFile(vault, FOLDER, 11n, [newer[0]!, forged]);
  for (const trust of [NO_TRUST_POLICY, trusting, strict]) {
    const { verdict, message, code } = await check(vault, trust);
    assert.deepEqual([verdict, code], ['bad', 'signature_invalid']);
    assert.match(message, /^block 1 of .* did not make$/);
  }
});

it('where there is no log there is nothing to judge', async () => {
  assert.equal((await checkLogSignatures(memoryVault(), [], strict)).verdict, 'skipped');
});
