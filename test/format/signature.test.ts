import assert from 'node:assert/strict';
import { it } from 'node:test';
import { encodeHeader } from '../../src/format/log-header.ts';
import { writeLogFile } from '../../src/format/log-writer.ts';
import { isSignature, isSignedBy, signText } from '../../src/format/signature.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { makeSigner } from '../harness/test-keys.ts';
import { changes, encodeBlocks, FOLDER, onlyTimeline, readChanges } from './log-batches.ts';

const signer = makeSigner();
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** The same bytes, with a bit set that none of them has. */
function respell(text: string, at: number, alphabet: string): string {
  const next = alphabet[alphabet.indexOf(text[at]!) + 1]!;
  return text.slice(0, at) + next + text.slice(at + 1);
}

it('a signature has one spelling: nothing passes that is not what was written', () => {
  const signature = signText(signer, 'a text');
  assert.ok(isSignature(signature) && isSignedBy(signature, 'a text'));
  const { signer: name, value } = signature;
  const spare = respell(value, 85, `${ALPHABET}+/`);
  assert.deepEqual(Buffer.from(spare, 'base64'), Buffer.from(value, 'base64'));
  const spareName = respell(name, 50, `${ALPHABET}-_`);
  assert.deepEqual(Buffer.from(spareName.slice(8), 'base64url'), Buffer.from(name.slice(8), 'base64url'));
  for (const other of [
    { value, signer: name },
    { signer: name, value: spare },
    { signer: spareName, value },
    { signer: name, value, more: 1 },
    { signer: name },
    [name, value],
    null,
  ]) {
    assert.equal(isSignature(other), false, JSON.stringify(other));
  }
});

it('a block whose signature is spelt otherwise is damaged, though its signer made it', async () => {
  const vault = memoryVault();
  const [block] = await encodeBlocks([changes([{ commit: 10n }])], { signer });
  const { signer: name, value } = block!.header.signature!;
  const { bytes, digest } = encodeHeader({ ...block!.header, signature: { value, signer: name } });
  await writeLogFile(vault, FOLDER, 10n, [{ ...block!, digest, parts: [bytes, ...block!.parts.slice(1)] }]);
  const { spans } = await onlyTimeline(vault);
  await assert.rejects(readChanges(vault, spans[0]!.files), { code: 'damaged' });
});
