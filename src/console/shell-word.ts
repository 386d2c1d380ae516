/**
 * A word as one types it into a POSIX shell, in quotes where it needs them. Signs that a terminal would act on, or that turn the direction
 * of writing, are written by their bytes: what is pasted is what one sees.
 */
export function shellWord(word: string): string {
  if (/^[\w./:=@%+,-]+$/.test(word)) return word;
  if (word === '') return "''";
  const parts = word.split(UNSEEN).filter((part) => part !== '');
  return parts.map((part) => (UNSEEN.test(part) ? byBytes(part) : quoted(part))).join('');
}

/** But line feeds: quotes hold them, and a shell would take them off the end of what `printf` says. */
const UNSEEN = /((?:(?!\n)[\p{Cc}\p{Bidi_Control}\u2028\u2029])+)/u;

function quoted(part: string): string {
  return `'${part.replaceAll("'", "'\\''")}'`;
}

function byBytes(part: string): string {
  const bytes = [...Buffer.from(part)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`);
  return `"$(printf '${bytes.join('')}')"`;
}
