import { printable } from '../core/units.ts';
import { makePaint, type Terminal, type Tone, writeError } from './output.ts';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type Fields = Readonly<Record<string, string | number | boolean | null>>;

/** Notes on stderr, from `warn` on unless --log-level says otherwise: plain lines, or JSON Lines with --json. */
export interface Log {
  error(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  debug(message: string, fields?: Fields): void;
  /** What happens step by step in a long command: on stderr whatever the level, unless --quiet. */
  tell(message: string, fields?: Fields): void;
}

/** What a line is about. */
export interface About {
  readonly store: string;
  readonly job?: string;
}

/** Of a command that runs on and on, for many. */
export interface ServiceLog extends Log {
  about(what: About): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly json: boolean;
  readonly quiet?: boolean;
  readonly stderr: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
}

const WORDS: Record<LogLevel, { word: string; tone: Tone }> = {
  error: { word: 'error', tone: 'bad' },
  warn: { word: 'warning', tone: 'warning' },
  info: { word: 'info', tone: 'faint' },
  debug: { word: 'debug', tone: 'faint' },
};

export function makeLog(options: LogOptions): Log {
  const { json, stderr } = options;
  const paint = makePaint(stderr, options.env);
  const write = (level: LogLevel, message: string, fields: Fields = {}): void => {
    if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(options.level)) return;
    const { word, tone } = WORDS[level];
    const time = new Date(options.now()).toISOString();
    const line = json
      ? JSON.stringify({ time, level, message, ...fields })
      : `${paint(tone, `${word}:`)} ${printable(`${message}${plainFields(fields)}`)}`;
    writeError(stderr, line);
  };
  return {
    error: (message, fields) => write('error', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    info: (message, fields) => write('info', message, fields),
    debug: (message, fields) => write('debug', message, fields),
    tell: (message, fields = {}) => {
      if (options.quiet === true) return;
      const time = new Date(options.now()).toISOString();
      writeError(
        stderr,
        json ? JSON.stringify({ time, level: 'info', message, ...fields }) : printable(message),
      );
    },
  };
}

function plainFields(fields: Fields): string {
  const words = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  return words.length === 0 ? '' : ` (${words.join(', ')})`;
}

/** For people: what a line is about stands before it. */
export function serviceLogOf(log: Log): ServiceLog {
  const about = ({ store, job }: About): Log => {
    const start = job === undefined ? `${store}: ` : `${store}: ${job}: `;
    return {
      error: (message, fields) => log.error(start + message, fields),
      warn: (message, fields) => log.warn(start + message, fields),
      info: (message, fields) => log.info(start + message, fields),
      debug: (message, fields) => log.debug(start + message, fields),
      tell: (message, fields) => log.tell(start + message, fields),
    };
  };
  return { ...log, about };
}
