import { type SignatureFinding, type TrustPolicy, whyNotTrusted } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { findBlockSignature, readLogBlocks } from '../format/log-reader.ts';
import { newestSpan, type SpanFacts } from '../recovery/windows.ts';
import { bad, type Check, good, skipped, warn } from './check.ts';

const NAME = 'log signatures';
export const SIGNATURE_CHECKS = [NAME] as const;

/** Whose the newest file of a change log is: what somebody else adds to a log comes last. Reads the headers of its blocks alone. */
export async function checkLogSignatures(
  vault: Vault,
  spans: readonly SpanFacts[],
  trust: TrustPolicy,
): Promise<Check> {
  const file = newestSpan(spans)?.span.files.at(-1);
  if (file === undefined) return skipped(NAME, 'there is no change log to look at');
  const found: SignatureFinding[] = [];
  for await (const { header, number } of readLogBlocks(vault, [file])) {
    const finding = findBlockSignature(header, trust);
    const reason = whyNotTrusted(finding, trust);
    if (reason !== null) {
      const message = `block ${number} of ${file.name} is not to be trusted: ${reason}`;
      return bad(NAME, 'signature_invalid', message, TRUST_HINT);
    }
    found.push(finding);
  }
  return judge(found, trust);
}

const TRUST_HINT =
  'somebody may have written into this vault who should not: `eventcore verify` names all that is not signed as it should be; `encryption.trusted_signers` in the configuration says whose signatures count';

/** Nothing here is refused: what is left is to say what is there, and what is worth a look. */
function judge(found: readonly SignatureFinding[], { trustedSigners }: TrustPolicy): Check {
  const signers = [...new Set(found.flatMap(({ signer }) => signer ?? []))].join(', ');
  if (found.every(({ state }) => state === 'signed')) {
    return good(NAME, `the newest file of the log is signed by ${signers}`);
  }
  if (trustedSigners.length === 0) return skipped(NAME, 'no signer is named, and the log is not signed');
  const stranger = found.find(({ state }) => state === 'stranger');
  const what = stranger === undefined ? 'not signed' : `signed by ${stranger.signer}, who is not trusted`;
  return warn(
    NAME,
    `the newest file of the log is ${what}`,
    '`encryption.require_signature` refuses such files; `encryption.sign_key` on the host signs new ones',
  );
}
