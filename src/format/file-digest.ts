import crypto from 'node:crypto';

/** SHA-256 over a file as it is read. */
export interface FileDigest {
  update(bytes: Uint8Array): void;
  hex(): string;
}

export function makeFileDigest(): FileDigest {
  const hash = crypto.createHash('sha256');
  return {
    update: (bytes) => void hash.update(bytes),
    hex: () => hash.digest('hex'),
  };
}
