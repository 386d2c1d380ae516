import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * What a form must carry so that no other site can send it: an HMAC, under a key of this process, of who got the form. Nothing is kept, and after a
 * restart forms that are still open are refused.
 */
export interface FormTokens {
  readonly of: (subject: string) => string;
  readonly isOf: (subject: string, given: string | null) => boolean;
}

export function makeFormTokens(key: Uint8Array): FormTokens {
  const hmac = (subject: string): Buffer => createHmac('sha256', key).update(subject).digest();
  return {
    of: (subject) => hmac(subject).toString('base64url'),
    isOf: (subject, given) => {
      if (given === null) return false;
      const bytes = Buffer.from(given, 'base64url');
      const wanted = hmac(subject);
      return bytes.length === wanted.length && timingSafeEqual(bytes, wanted);
    },
  };
}
