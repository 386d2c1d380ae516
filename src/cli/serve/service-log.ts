import pino from 'pino';
import { redactText } from '../address.ts';
import type { About, Fields, Log, LogLevel, LogOptions, ServiceLog } from '../log.ts';

/**
 * The log of what runs on and on, as lines of JSON: the same keys as those of other commands, `time`, `level` and `message` before the rest.
 * Each line is written before the call returns: a crash loses none.
 */
export function makeServiceLog({ level, stderr, now, quiet }: LogOptions): ServiceLog {
  const destination = { write: (line: string) => void stderr.write(line) };
  const logger = pino(
    {
      ...{ level, base: null, messageKey: 'message' },
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return serviceLog(logger, { isQuiet: quiet === true, taken: TAKEN });
}

interface Kept {
  readonly isQuiet: boolean;
  /** Keys of each line. */
  readonly taken: readonly string[];
}

function serviceLog(logger: pino.Logger, kept: Kept): ServiceLog {
  // What is told is told whatever the level.
  const teller = logger.child({}, { level: 'info' });
  const write =
    (to: pino.Logger, level: LogLevel): Log['info'] =>
    (message, fields = {}) =>
      to[level](clean(fields, kept.taken), redactText(message));
  return {
    error: write(logger, 'error'),
    warn: write(logger, 'warn'),
    info: write(logger, 'info'),
    debug: write(logger, 'debug'),
    tell: (message, fields) => {
      if (!kept.isQuiet) write(teller, 'info')(message, fields);
    },
    about: (what: About) =>
      serviceLog(logger.child({ ...what }), { ...kept, taken: [...TAKEN, ...Object.keys(what)] }),
  };
}

const TAKEN = ['time', 'level', 'message'];

/** Every value by itself: in the finished line an escape sign could hide the end of a password. No key stands twice. */
function clean(fields: Fields, taken: readonly string[]): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      taken.includes(name) ? `${name}_` : name,
      typeof value === 'string' ? redactText(value) : value,
    ]),
  );
}
