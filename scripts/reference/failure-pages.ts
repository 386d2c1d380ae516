import { EXIT_CODES } from '../../src/cli/exit-codes.ts';
import { ERROR_CODES, type ErrorCode } from '../../src/core/errors.ts';
import { allCommands, doesWork, type ProgramDefinition } from '../../src/reference/command-line.ts';
import { ERROR_MEANINGS } from '../../src/reference/error-meanings.ts';
import { sentence, table } from '../runbooks/table.ts';
import { GENERATED } from './generated.ts';

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

/** docs/reference/errors.md: every code that `--json` gives, by the exit code that goes with it. */
export function errorsPage(): string {
  return [
    '# Error codes',
    GENERATED,
    'An error is a line that says what happened, and a line `hint:` with the way out. With `--json` it is one document on stderr, with the code by which programs tell errors apart:',
    '```json\n{ "error": { "code": "vault_full", "message": "…", "hint": "…", "retryable": true, "facts": { } } }\n```',
    '`retryable` says that the same call may go well later although nobody changed anything. Codes are never renamed; new ones come. Metrics, records of jobs and the console use the same ones.',
    ...exitCodes().flatMap((exitCode) => [
      `## Exit code ${exitCode}: ${EXIT_CODES[exitCode]}`,
      table(
        ['code', 'means', 'way out', 'retryable'],
        CODES.filter((code) => ERROR_CODES[code].exitCode === exitCode).map((code) => [
          `\`${code}\``,
          ERROR_MEANINGS[code].meaning,
          ERROR_MEANINGS[code].wayOut,
          ERROR_CODES[code].retryable ? 'yes' : 'no',
        ]),
      ),
    ]),
    '',
  ].join('\n\n');
}

/** docs/reference/exit-codes.md: what each stands for, what leads to it, which commands give it. */
export function exitCodesPage({ root }: ProgramDefinition): string {
  const commands = allCommands(root).filter(doesWork);
  return [
    '# Exit codes',
    GENERATED,
    'They are part of the contract: what is here keeps its meaning. Scripts look at the code, people at the message, and programs that must know more at the [error code](errors.md) of `--json`.',
    table(
      ['code', 'when', 'error codes'],
      [0, ...exitCodes()].map((exitCode) => [
        String(exitCode),
        sentence(EXIT_CODES[exitCode as keyof typeof EXIT_CODES]),
        CODES.filter((code) => ERROR_CODES[code].exitCode === exitCode)
          .map((code) => `\`${code}\``)
          .join(', '),
      ]),
    ),
    '4, 9 and 10 can also stand for an answer: `verify` that found damage, `dr execute` that shows a plan nobody has approved, `sync` that reached one region and not the other.',
    '## Which command gives which',
    table(
      ['command', 'exit codes'],
      commands.map(({ path, exitCodes: codes }) => [`\`${path.join(' ')}\``, codes.join(', ')]),
    ),
    '',
  ].join('\n\n');
}

function exitCodes(): (keyof typeof EXIT_CODES)[] {
  const used = new Set(CODES.map((code) => ERROR_CODES[code].exitCode));
  return [...used].sort((a, b) => a - b);
}
