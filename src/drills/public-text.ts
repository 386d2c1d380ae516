const MAX_LENGTH = 500;

/**
 * A text that may stand where everybody reads it: names of streams and all that comes from events is quoted in messages, and what is
 * quoted is left out. What was no failure that this program knows could say anything.
 */
export function publicText(text: string, code: string | null): string {
  if (code === 'internal') return 'an unexpected failure: the command said which';
  return text
    .replaceAll(/"(?:[^"\\]|\\.)*"?/g, '"…"')
    .replaceAll(/=\([^)]*\)?/g, '=(…)')
    .replaceAll(/base64:\S+/g, '…')
    .slice(0, MAX_LENGTH);
}
