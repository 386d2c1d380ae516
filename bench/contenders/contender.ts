import type { Command } from '../measure.ts';

/** What is compared with each other. */
export const WORKS = [
  'full backup',
  'verify',
  'restore',
  'restore of one stream',
  'incremental backup',
  'SQLite: full backup',
  'SQLite: incremental backup',
  'SQLite: restore',
] as const;
export type Work = (typeof WORKS)[number];

/** One way of doing a work. A new one is a new entry in the list of its file. */
export interface Contender {
  /** What `--only`, the tables and `requirements.ts` call it. */
  readonly name: string;
  readonly work: Work;
  /** `baseline`: the others of its work are compared with it. `variant`: ours with options that are not the defaults. */
  readonly role: 'ours' | 'variant' | 'baseline' | 'peer';
  /** Where the events that it works on live. */
  readonly store: 'postgres' | 'sqlite';
  /** Programs that must be there: a name on the path, or a path. */
  readonly needs: readonly string[];
  /** The contender whose output it works on; made once, and never changed. */
  readonly input?: string;
  /** It fills an empty store of its own. */
  readonly target?: 'postgres' | 'sqlite';
  /** What has to be done before, out of the measured time. */
  readonly prepare?: (place: Place) => readonly Command[];
  /** How many events its store gets after that and right before `command`: what is new to an incremental backup. */
  readonly newEvents?: number;
  readonly command: (place: Place) => Command;
  /** The bytes that count, where they are not those that it writes. */
  readonly bytes?: (place: Place) => Promise<number>;
}

/** Where a contender works in one run. */
export interface Place {
  /** The address of the store with the events, and of the empty one to fill. */
  readonly source: string;
  readonly target: string;
  /** The path of what its input wrote, and of what it writes itself: nothing is there yet. */
  readonly input: string;
  readonly output: string;
  /** The server's files. */
  readonly server: { readonly dataDir: string; readonly socketDir: string; readonly port: number };
}

/** What an incremental backup finds new: those that are measured find as much, whoever takes them. */
export const NEW_EVENTS = 1000;

/** What the input holds, to go on with: files are never written to again, so that names for them are enough. */
export function copyInput({ input, output }: Place): Command {
  return shell('cp -al "$1" "$2"', [input, output]);
}

/** A shell's command line; its parameters are `$1`, `$2`, … A failure anywhere in a pipeline is its failure. */
export function shell(line: string, parameters: readonly string[]): Command {
  return { program: 'bash', args: ['-o', 'pipefail', '-ec', line, 'bench', ...parameters] };
}
