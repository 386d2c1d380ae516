/** Whose signatures count. */
export interface TrustPolicy {
  /** Names of signers; none: any signature that is sound counts. */
  readonly trustedSigners: readonly string[];
  /** What is not signed by one of them is refused. */
  readonly requireSignature: boolean;
}

export const NO_TRUST_POLICY: TrustPolicy = { trustedSigners: [], requireSignature: false };

/**
 * `signed`: by a trusted signer, or by anybody where none is named. `stranger`: soundly, by somebody who is not trusted. `forged`: by
 * nobody, though it names a signer.
 */
export type SignatureState = 'unsigned' | 'signed' | 'stranger' | 'forged';

export interface SignatureFinding {
  readonly state: SignatureState;
  readonly signer: string | null;
}

/** What a signature is worth; `isValid` says whether its signer made it. */
export function judgeSignature(
  signature: { readonly signer: string } | undefined,
  isValid: boolean,
  { trustedSigners }: TrustPolicy,
): SignatureFinding {
  if (signature === undefined) return { state: 'unsigned', signer: null };
  const { signer } = signature;
  if (!isValid) return { state: 'forged', signer };
  const isTrusted = trustedSigners.length === 0 || trustedSigners.includes(signer);
  return { state: isTrusted ? 'signed' : 'stranger', signer };
}

/** Why something with this signature is not to be used, in words; null when it may be. A forgery never is. */
export function whyNotTrusted(
  { state, signer }: SignatureFinding,
  { requireSignature }: TrustPolicy,
): string | null {
  if (state === 'forged') return `it has a signature that ${signer} did not make`;
  if (!requireSignature || state === 'signed') return null;
  return state === 'unsigned' ? 'it is not signed' : `it is signed by ${signer}, who is not trusted`;
}
