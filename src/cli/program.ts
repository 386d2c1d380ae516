import { readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { Command, CommanderError, Option } from 'commander';
import { BackupError } from '../core/errors.ts';
import { openTracing, traceCommand } from '../daemon/tracing.ts';
import { type Parent, tellProgress } from './children/parent.ts';
import { CONFIG_NAME, loadSettings } from './config/config.ts';
import type { CommandContext, GlobalFlags, Left, Start, Work } from './context.ts';
import { reportError, saysJson } from './error-output.ts';
import { helpEnd } from './exit-codes.ts';
import { LOG_LEVELS, type LogOptions, makeLog, type ServiceLog, serviceLogOf } from './log.ts';
import { makeOutput, type Terminal } from './output.ts';
import { makeProgress } from './progress.ts';
import { systemClock, useLayouts, useShards } from './wire.ts';

/** The process that the program runs in. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  /** Fires when the user wants to stop. */
  readonly signal: AbortSignal;
  /** Left out or null: nobody hears how far it is. */
  readonly parent?: Parent | null;
}

/** Runs one command line (without the names of node and script) and gives its exit code. Never throws. */
export async function runProgram(words: readonly string[], host: Host): Promise<number> {
  let exitCode = 0;
  const start: Start = async (work, left = 'nothing was changed') => {
    const context = await makeContext(program.opts<GlobalFlags>(), host);
    const traced = { name: commandPath(program, words), env: host.env };
    await traceCommand(await openTracing(context.software), traced, async () => {
      exitCode = await runWork(work, left, context);
      return { isFailed: exitCode !== 0, exitCode, code: null };
    });
  };
  const program = await makeProgram(words, start, host);
  try {
    await program.parseAsync(words, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const failure = error instanceof CommanderError ? usageError(program, words, error) : error;
    const json = saysJson(words, host.stderr);
    const stack = program.opts<GlobalFlags>().logLevel === 'debug';
    return reportError(failure, { json, stack, stderr: host.stderr, env: host.env });
  }
}

/** An interrupted command says what it leaves behind, whatever failure the interruption led to. */
async function runWork(work: Work, left: Left, context: CommandContext): Promise<number> {
  try {
    return await work(context);
  } catch (cause) {
    if (!context.signal.aborted) throw cause;
    const said = typeof left === 'string' ? left : await left();
    throw new BackupError('interrupted', `interrupted: ${said}`, { cause });
  } finally {
    context.progress.end();
  }
}

async function makeContext(flags: GlobalFlags, host: Host): Promise<CommandContext> {
  const { env, cwd, stdout, stderr, signal, parent = null } = host;
  const json = flags.json === true;
  const quiet = flags.quiet === true;
  const progress =
    parent === null
      ? await makeProgress(stderr, flags.progress && !json && !quiet, signal)
      : tellProgress(parent, systemClock.now);
  signal.addEventListener('abort', () => sayStopping(stderr), { once: true });
  const logging: LogOptions = { level: flags.logLevel, json, quiet, stderr, env, now: systemClock.now };
  return {
    ...{ flags, signal, env, cwd, parent, software: `eventcore-backup ${packageVersion()}` },
    settings: async () => {
      const settings = await loadSettings({ flags, env, cwd });
      useLayouts(settings.layouts);
      useShards(settings.shards);
      return settings;
    },
    output: makeOutput({ json, quiet, env, stdout }),
    ...{ log: makeLog(logging), serviceLog: () => openServiceLog(logging) },
    progress,
  };
}

async function openServiceLog(options: LogOptions): Promise<ServiceLog> {
  if (!options.json && options.stderr.isTTY === true) return serviceLogOf(makeLog(options));
  const { makeServiceLog } = await import('./serve/service-log.ts');
  return makeServiceLog(options);
}

/** Cleaning up can take a moment. */
function sayStopping(stderr: Terminal): void {
  if (stderr.isTTY) stderr.write('\rstopping; press Ctrl-C again to stop at once, without cleaning up\n');
}

/** All of the command line, to be looked at: it runs nothing and prints nothing. */
export function defineProgram(): Promise<Command> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  return makeProgram([], async () => {}, { stdout: nowhere, stderr: nowhere });
}

async function makeProgram(
  words: readonly string[],
  start: Start,
  host: Pick<Host, 'stdout' | 'stderr'>,
): Promise<Command> {
  const program = new Command('eventcore')
    .description('Backup, verification and recovery for event stores.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .option('--json', 'print one JSON document on stdout, and logs as JSON lines on stderr')
    .option('--quiet', 'print no account of what was done')
    .option('--no-progress', 'show no progress')
    .addOption(
      new Option('--log-level <level>', 'how much to log on stderr').choices(LOG_LEVELS).default('warn'),
    )
    .option('--config <file>', `configuration (default: EVENTCORE_CONFIG, or ${CONFIG_NAME} in this folder)`)
    .option('--store <address>', 'where the events live (default: EVENTCORE_STORE, or the configuration)')
    .option(
      '--vault <address>',
      'where backups live: a directory, or s3://bucket/prefix (default: EVENTCORE_VAULT, or the configuration)',
    )
    .addHelpText('after', helpEnd(['eventcore demo', 'eventcore init', 'eventcore backup full'], [0, 1, 2]))
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      writeErr: (text) => host.stderr.write(text),
      // Commander's own line is not printed: `usageError` says the same with a hint, also as JSON.
      outputError: () => {},
    })
    .exitOverride();
  for (const add of await loadCommands(words)) add(program, start);
  return program;
}

type AddCommand = (program: Command, start: Start) => void;

/** In the order of the help. Each is loaded with all that it works with. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  init: async () => (await import('./commands/init.ts')).addInitCommand,
  backup: async () => (await import('./commands/backup.ts')).addBackupCommand,
  list: async () => (await import('./commands/list.ts')).addListCommand,
  status: async () => (await import('./commands/status.ts')).addStatusCommand,
  archive: async () => (await import('./commands/archive.ts')).addArchiveCommand,
  show: async () => (await import('./commands/show.ts')).addShowCommand,
  verify: async () => (await import('./commands/verify.ts')).addVerifyCommand,
  diff: async () => (await import('./commands/diff.ts')).addDiffCommand,
  monitor: async () => (await import('./commands/monitor.ts')).addMonitorCommand,
  sync: async () => (await import('./commands/sync.ts')).addSyncCommand,
  restore: async () => (await import('./commands/restore.ts')).addRestoreCommand,
  prune: async () => (await import('./commands/prune.ts')).addPruneCommand,
  hold: async () => (await import('./commands/hold.ts')).addHoldCommand,
  freeze: async () => (await import('./commands/freeze.ts')).addFreezeCommand,
  export: async () => (await import('./commands/export.ts')).addExportCommand,
  keys: async () => (await import('./commands/keys.ts')).addKeysCommand,
  drill: async () => (await import('./commands/drill.ts')).addDrillCommand,
  dr: async () => (await import('./commands/dr.ts')).addDrCommand,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctorCommand,
  serve: async () => (await import('./commands/serve.ts')).addServeCommand,
  worker: async () => (await import('./commands/worker.ts')).addWorkerCommand,
  queue: async () => (await import('./commands/queue.ts')).addQueueCommand,
  runs: async () => (await import('./commands/runs.ts')).addRunsCommand,
  tokens: async () => (await import('./commands/tokens.ts')).addTokensCommand,
  completion: async () => (await import('./commands/completion.ts')).addCompletionCommand,
  demo: async () => (await import('./commands/demo.ts')).addDemoCommand,
};

/** Only the commands that the words name; all of them for help and for scripts of completion, or where no command is named. */
function loadCommands(words: readonly string[]): Promise<AddCommand[]> {
  const named = Object.keys(COMMANDS).filter((name) => words.includes(name));
  const looksAtAll = words.includes('completion') && !words.includes('--backups');
  const needsAll =
    named.length === 0 || looksAtAll || words.some((word) => ['help', '--help', '-h'].includes(word));
  return Promise.all((needsAll ? Object.keys(COMMANDS) : named).map((name) => COMMANDS[name]!()));
}

function usageError(program: Command, words: readonly string[], error: CommanderError): BackupError {
  const help = `run \`${commandPath(program, words)} --help\` to see what there is`;
  if (error.code === 'commander.help') return new BackupError('usage', 'no command is named', { hint: help });
  const message = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
  return new BackupError('usage', message, { hint: help });
}

/** The names of the commands that the words lead to. */
function commandPath(program: Command, words: readonly string[]): string {
  const path = [program.name()];
  let current = program;
  for (const word of words) {
    const next = current.commands.find((command) => command.name() === word);
    if (next === undefined) continue;
    path.push(word);
    current = next;
  }
  return path.join(' ');
}

/** Stands in package.json, which lies two folders above, both in the source and in the package. */
function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
