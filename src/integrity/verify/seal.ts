import { isBackupError } from '../../core/errors.ts';
import type { Problem, ProblemCode } from '../../core/report.ts';
import { type SignatureFinding, type TrustPolicy, whyNotTrusted } from '../../core/trust.ts';
import type { Vault } from '../../core/vault.ts';
import type { ChainMember } from '../../format/chain.ts';
import { isKeyRecordForged, keyRecordName, readKeyRecords } from '../../format/key-record.ts';
import { isTagValid } from '../../format/manifest-seal.ts';
import { findSignature } from '../../format/open-bundle.ts';

/** What is wrong with the proofs of a backup: its signature, its tag, and the records of its key. */
export async function checkSeal(
  vault: Vault,
  backup: ChainMember,
  trust: TrustPolicy,
): Promise<{ readonly signature: SignatureFinding; readonly problems: readonly Problem[] }> {
  const { manifest, keys } = backup;
  const signature = findSignature(manifest, trust);
  const problems: Problem[] = [];
  const reason = whyNotTrusted(signature, trust);
  if (reason !== null)
    problems.push(problem('signature_invalid', null, `the backup is not to be trusted: ${reason}`));
  const key = keys?.data ?? null;
  if (key !== null && !isTagValid(manifest, key)) {
    problems.push(problem('tag_invalid', null, 'the manifest is not as it was sealed: somebody changed it'));
  }
  if (manifest.sealing === undefined) return { signature, problems };
  return { signature, problems: [...problems, ...(await checkKeyRecords(vault, backup))] };
}

/** Without a record of its key nobody will ever open a backup again. */
async function checkKeyRecords(vault: Vault, { folder, manifest }: ChainMember): Promise<Problem[]> {
  const { keyId } = manifest.sealing!;
  try {
    const records = (await readKeyRecords(vault, folder)).get(keyId) ?? [];
    const own = records.filter(({ scope }) => scope === manifest.backupId);
    if (own.length === 0) {
      return [
        problem(
          'key_record_missing',
          null,
          `the record of key ${keyId} is missing: without it nobody can open the backup`,
        ),
      ];
    }
    return own.filter(isKeyRecordForged).map(({ number }) => {
      const name = keyRecordName(keyId, number);
      return problem('signature_invalid', name, `${name} has a signature that its signer did not make`);
    });
  } catch (error) {
    if (!isBackupError(error, 'damaged')) throw error;
    const { file } = error.facts;
    const name = typeof file === 'string' ? file.slice(folder.length) : null;
    return [problem('key_record_damaged', name, error.message)];
  }
}

function problem(code: ProblemCode, file: string | null, message: string): Problem {
  return { code, file, chunk: null, streamId: null, version: null, message };
}
