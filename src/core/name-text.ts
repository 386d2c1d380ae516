const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A stream's name as text, one text for each name: bytes that are no UTF-8 (SQLite can hold them) come as `base64:` and
 * their Base64.
 */
export function nameText(name: Uint8Array): string {
  try {
    return strictUtf8.decode(name);
  } catch {
    return `base64:${btoa(String.fromCharCode(...name))}`;
  }
}

const BASE64 = 'base64:';

/** The name's bytes: the reverse of `nameText`. */
export function nameBytes(text: string): Uint8Array {
  if (text.startsWith(BASE64)) {
    const bytes = Uint8Array.from(decodedBase64(text.slice(BASE64.length)), (sign) => sign.charCodeAt(0));
    if (nameText(bytes) === text) return bytes;
  }
  return new TextEncoder().encode(text);
}

function decodedBase64(text: string): string {
  try {
    return atob(text);
  } catch {
    return '';
  }
}
