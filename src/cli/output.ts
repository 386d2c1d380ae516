import { styleText } from 'node:util';
import { redactText } from './address.ts';

/** A word's meaning, which decides over its colour. */
export type Tone = 'good' | 'bad' | 'warning' | 'faint' | 'strong';

export type Paint = (tone: Tone, text: string) => string;

/** stdout or stderr, which may be a terminal. */
export type Terminal = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** What this program prints: for people, or, with --json, for programs. */
export interface Output {
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  /** Colours for stdout. */
  readonly paint: Paint;
  /** What a command did, line by line. Silent with --quiet and --json. */
  account(lines: readonly string[]): void;
  /** What a command was asked for. Silent with --json. */
  answer(lines: readonly string[]): void;
  /** The one document of --json. Silent without. */
  document(value: unknown): void;
  /** Raw bytes or text on stdout; resolves when more can be taken. False when the reader has gone away. */
  write(part: string | Uint8Array): Promise<boolean>;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Terminal;
}

export function makeOutput(options: OutputOptions): Output {
  const { json, quiet, stdout } = options;
  const reader = watchReader(stdout);
  const print = (lines: readonly string[]): void => {
    if (lines.length > 0 && !reader.gone) stdout.write(`${lines.join('\n')}\n`);
  };
  return {
    isJson: json,
    isQuiet: quiet,
    paint: makePaint(stdout, options.env),
    account: (lines) => {
      if (!json && !quiet) print(lines);
    },
    answer: (lines) => {
      if (!json) print(lines);
    },
    document: (value) => {
      if (json) print([JSON.stringify(value)]);
    },
    write: (part) => writePart(stdout, reader, part),
  };
}

interface Reader {
  gone: boolean;
}

/** A reader that goes away (`| head`) is no failure: what this program does is not what it prints. */
function watchReader(stdout: Terminal): Reader {
  const reader = { gone: false };
  stdout.on('error', () => {
    reader.gone = true;
  });
  return reader;
}

function writePart(stdout: Terminal, reader: Reader, part: string | Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    if (reader.gone) return resolve(false);
    stdout.write(part, (error) => {
      if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE') reject(error);
      else resolve(!error);
    });
  });
}

const FORMATS = { good: 'green', bad: 'red', warning: 'yellow', faint: 'dim', strong: 'bold' } as const;

/** Colours only on a terminal, and never with NO_COLOR (https://no-color.org) or a terminal that has none. */
export function makePaint(
  stream: Pick<Terminal, 'isTTY'>,
  env: Readonly<Record<string, string | undefined>>,
): Paint {
  const coloured = stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  if (!coloured) return (_, text) => text;
  return (tone, text) => styleText(FORMATS[tone], text, { validateStream: false });
}

/** Writes a line on stderr for people and logs. No password of an address gets through here. */
export function writeError(stderr: NodeJS.WritableStream, line: string): void {
  stderr.write(`${redactText(line)}\n`);
}
