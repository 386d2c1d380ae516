import { open } from 'node:fs/promises';
import type { AuditEntry } from '../ports.ts';

/** What somebody did, tried or was refused: in memory for the page, in the log, and, where it is asked for, in a file. */
export interface Audit {
  readonly record: (entry: Omit<AuditEntry, 'at'>) => void;
  /** The newest first. */
  readonly entries: () => readonly AuditEntry[];
  /**
   * Puts into the file that somebody is about to act; null once that is durable. Else why not, and then nothing may be done: what cannot be put on
   * record is not done. Without a file it is the log that keeps it.
   */
  readonly intend: (entry: Pick<AuditEntry, 'who' | 'from' | 'subject'>) => Promise<string | null>;
  /** All that was recorded is in the file, or said in the log not to be. */
  readonly settled: () => Promise<void>;
}

export interface AuditPorts {
  /** Milliseconds of Unix time. */
  readonly now: () => number;
  readonly log: (entry: AuditEntry) => void;
  readonly logTrouble: (message: string) => void;
  /** As configured now; null: none. */
  readonly file: () => string | null;
}

const KEPT = 500;
/** Each waits for the disk. */
const MOST_WAITING = 1000;
/** Of what somebody sent, no more than this is kept. */
const LONGEST = 300;

export function makeAudit(ports: AuditPorts): Audit {
  const kept: AuditEntry[] = [];
  const append = makeAppender();
  const write = async (line: object): Promise<string | null> => {
    const file = ports.file();
    if (file === null) return null;
    try {
      await append(file, `${JSON.stringify(line)}\n`);
      return null;
    } catch (error) {
      const why = `the audit log ${file} cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
      ports.logTrouble(why);
      return why;
    }
  };
  const stamped = (entry: Omit<AuditEntry, 'at'>): AuditEntry => ({
    at: new Date(ports.now()).toISOString(),
    ...{ who: short(entry.who), from: short(entry.from), action: entry.action },
    ...{ subject: short(entry.subject), outcome: entry.outcome },
  });
  let last: Promise<unknown> = Promise.resolve();
  return {
    record: (entry) => {
      const line = stamped(entry);
      kept.unshift(line);
      if (kept.length > KEPT) kept.pop();
      ports.log(line);
      last = write(line);
    },
    entries: () => kept,
    intend: ({ who, from, subject }) => {
      const { at, ...rest } = stamped({ who, from, subject, action: 'asked', outcome: 'done' });
      return write({ at, who: rest.who, from: rest.from, action: rest.action, subject: rest.subject });
    },
    settled: async () => {
      await last;
    },
  };
}

function short(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}…`;
}

/** One line after the other, each durable before the next. The file is opened for each, so that it may be moved away at any time. */
function makeAppender(): (file: string, line: string) => Promise<void> {
  let tail: Promise<void> = Promise.resolve();
  let waiting = 0;
  return (file, line) => {
    if (waiting >= MOST_WAITING) return Promise.reject(new Error('too many lines wait for the disk'));
    waiting += 1;
    const done = tail
      .then(() => appendLine(file, line))
      .finally(() => {
        waiting -= 1;
      });
    tail = done.catch(() => undefined);
    return done;
  };
}

async function appendLine(file: string, line: string): Promise<void> {
  const handle = await open(file, 'a+', 0o600);
  try {
    const { size } = await handle.stat();
    const lastByte = new Uint8Array(1);
    if (size > 0) await handle.read(lastByte, 0, 1, size - 1);
    // A line that a full disk cut off stays one line.
    const isCutOff = size > 0 && lastByte[0] !== 0x0a;
    await handle.appendFile(isCutOff ? `\n${line}` : line);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
