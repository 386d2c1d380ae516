/** What each exit code means; the command line's contract. Codes of failures stand in core/errors.ts. */
const MEANINGS = {
  0: 'done, and everything that was checked is sound',
  1: 'unexpected failure (a bug in this program)',
  2: 'wrong usage or configuration',
  3: 'what was asked for is not there',
  4: 'integrity: damage, a gap, or a proof that failed',
  5: 'the store cannot be reached or refused',
  6: 'the vault cannot be reached or refused',
  7: 'another run holds the lease',
  8: 'keys: wrong, missing or refused',
  9: 'refused because it would lose or overwrite something',
  10: 'finished in part',
  130: 'interrupted',
} as const;

export type ExitCode = keyof typeof MEANINGS;

/** The end of a command's help: examples, and the exit codes that it can give. */
export function helpEnd(examples: readonly string[], codes: readonly ExitCode[]): string {
  const width = Math.max(...codes.map((code) => String(code).length));
  return [
    '',
    'EXAMPLES',
    ...examples.map((example) => `  ${example}`),
    '',
    'EXIT STATUS',
    ...codes.map((code) => `  ${String(code).padStart(width)}  ${MEANINGS[code]}`),
  ].join('\n');
}
