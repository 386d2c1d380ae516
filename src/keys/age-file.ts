/** An age file of one recipient that holds 32 bytes has some hundred bytes, with a hybrid recipient about 1900. */
const MAX_AGE_FILE_BYTES = 16 << 10;

/** The bytes of a wrapped key; null for what is no base64 or longer than any. */
export function decodeWrapped(wrapped: string): Buffer | null {
  if (wrapped.length > (MAX_AGE_FILE_BYTES * 4) / 3) return null;
  const bytes = Buffer.from(wrapped, 'base64');
  return bytes.toString('base64') === wrapped ? bytes : null;
}
