import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { CONFIG_NAME, loadSettings, requireDisaster } from '../../src/cli/config/config.ts';
import type { CommandContext } from '../../src/cli/context.ts';
import type { DrWork } from '../../src/cli/disaster/restore-places.ts';
import { loadKeys } from '../../src/cli/keys/keys.ts';
import { makeLog, serviceLogOf } from '../../src/cli/log.ts';
import { makeOutput } from '../../src/cli/output.ts';
import { openVault } from '../../src/cli/wire.ts';

/** Writes a configuration into a folder, and gives the folder. */
export function writeConfig(folder: string, text: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, CONFIG_NAME), text);
  return folder;
}

export interface OpenedWork extends DrWork {
  /** What was logged so far. */
  logged(): string;
  close(): Promise<void>;
}

/** What the ports of a recovery work with, out of the configuration in a folder. `onLine` hears of each line that is logged. */
export async function openRecoveryWork(
  folder: string,
  onLine: (line: string) => void = () => {},
): Promise<OpenedWork> {
  const { signal } = new AbortController();
  const settings = await loadSettings({ flags: {}, env: {}, cwd: folder });
  const disaster = requireDisaster(settings, () => {});
  const lines: string[] = [];
  const stderr = new Writable({
    write: (part: Buffer, _encoding, done) => {
      lines.push(String(part));
      onLine(String(part));
      done();
    },
  });
  const log = makeLog({ level: 'info', json: false, stderr, env: {}, now: Date.now });
  const context: CommandContext = {
    ...{ signal, env: {}, cwd: folder, software: 'test', settings: async () => settings },
    flags: { progress: false, logLevel: 'info' },
    output: makeOutput({ json: false, quiet: true, env: {}, stdout: stderr }),
    ...{ log, serviceLog: async () => serviceLogOf(log) },
    progress: { step: () => {}, update: () => {}, end: () => {} },
    parent: null,
  };
  const all = disaster.vaults.map(({ address }) => ({ vault: openVault(address) }));
  for (const { vault } of all) await vault.open({ create: true });
  return {
    ...{ context, settings, disaster, vaults: { all, open: all } },
    keys: await loadKeys(settings, {}, { env: {}, cwd: folder, signs: false }),
    logged: () => lines.join(''),
    close: async () => {
      for (const { vault } of all) await vault.close();
    },
  };
}
