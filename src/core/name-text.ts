const BASE64 = 'base64:';
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A stream's name as text, one text for each name: bytes that are no UTF-8 (SQLite can hold them) come as `base64:` and
 * their Base64.
 */
export function nameText(name: Uint8Array): string {
  try {
    return strictUtf8.decode(name);
  } catch {
    // Not all as arguments of one call: a name can be longer than the stack.
    let signs = '';
    for (const byte of name) signs += String.fromCharCode(byte);
    return `${BASE64}${btoa(signs)}`;
  }
}

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
