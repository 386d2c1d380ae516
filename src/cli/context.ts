import type { EventStore } from '../core/event-store.ts';
import type { Vault } from '../core/vault.ts';
import { makeRateBudget } from '../vaults/wrappers/rate.ts';
import type { ThrottleOptions } from '../vaults/wrappers/throttle.ts';
import type { Parent } from './children/parent.ts';
import type { Settings } from './config/config.ts';
import type { Log, LogLevel, ServiceLog } from './log.ts';
import type { Output } from './output.ts';
import type { ProgressDisplay } from './progress.ts';
import { limitVault, openStore, openVault } from './wire.ts';

/** The options that every command takes. */
export interface GlobalFlags {
  readonly json?: true;
  readonly quiet?: true;
  readonly progress: boolean;
  readonly logLevel: LogLevel;
  readonly config?: string;
  readonly store?: string;
  readonly vault?: string;
}

/** What a command works with. */
export interface CommandContext {
  readonly flags: GlobalFlags;
  /** Reads the configuration. Throws `config_invalid` or `usage`. */
  readonly settings: () => Promise<Settings>;
  readonly output: Output;
  readonly log: Log;
  /** For what runs on and on: lines of JSON unless a person looks at them. */
  readonly serviceLog: () => Promise<ServiceLog>;
  readonly progress: ProgressDisplay;
  /** The daemon that runs this command; null: none does. */
  readonly parent: Parent | null;
  /** Fires when the user wants to stop. */
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Name and version of this program. */
  readonly software: string;
}

/** A command's work; gives the exit code. */
export type Work = (context: CommandContext) => Promise<number>;

/** What an interrupted command leaves behind, in words. */
export type Left = string | (() => Promise<string>);

/** Runs a command's work in its context; given to each command by the program. */
export type Start = (work: Work, left?: Left) => Promise<void>;

export async function withVault<Result>(
  address: string,
  options: { readonly create: boolean; readonly limit?: ThrottleOptions | null },
  work: (vault: Vault) => Promise<Result>,
): Promise<Result> {
  const opened = openVault(address);
  const vault = options.limit == null ? opened : limitVault(opened, options.limit);
  try {
    await vault.open(options);
    return await work(vault);
  } finally {
    await vault.close();
  }
}

/**
 * What limits the vaults of a command; made once for all of them. Null where neither flag nor file says how fast they may be. Without a
 * signal, what waits for its turn is not ended when the user wants to stop: for who still has to write an end.
 */
export function chooseLimit(
  flags: { readonly rateLimit?: number },
  settings: Settings,
  signal?: AbortSignal,
): ThrottleOptions | null {
  const rate = flags.rateLimit ?? settings.rateLimit;
  if (rate === null) return null;
  const budget = makeRateBudget(rate);
  return signal === undefined ? { budget } : { budget, signal };
}

export async function withStore<Result>(
  address: string,
  work: (store: EventStore) => Promise<Result>,
): Promise<Result> {
  const store = await openStore(address);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Names a step on the terminal and in the log. */
export function beginStep(context: CommandContext, name: string): void {
  context.progress.end();
  context.log.info(name);
  context.progress.step(name);
}
