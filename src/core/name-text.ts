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
