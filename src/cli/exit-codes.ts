/** What each exit code means; the command line's contract. Codes of failures stand in core/errors.ts. */
export const EXIT_CODES = {
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
  11: 'the queue of jobs cannot be reached or refused',
  130: 'interrupted',
} as const;

export type ExitCode = keyof typeof EXIT_CODES;

/** What any command can end with. */
const ALWAYS: readonly ExitCode[] = [0, 1, 2, 130];

/** The end of a command's help: examples, and the exit codes that it can give beside those of any command. */
export function helpEnd(examples: readonly string[], codes: readonly ExitCode[]): string {
  const all = [...new Set([...ALWAYS, ...codes])].sort((a, b) => a - b);
  return [
    '',
    'EXAMPLES',
    ...examples.map((example) => `  ${example}`),
    '',
    'EXIT STATUS',
    ...all.map((code) => `  ${String(code).padStart(3)}  ${EXIT_CODES[code]}`),
  ].join('\n');
}
