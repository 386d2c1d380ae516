import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Ran } from '../harness/command.ts';

const FOLDER = join(import.meta.dirname, '../../rescue');
export const SCRIPT = join(FOLDER, 'rescue.mjs');

/** Runs the script as its user does: plain Node, nothing of the project, an empty environment. */
export function rescue(...words: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: {}, maxBuffer: 1 << 28 };
    const child = execFile(process.execPath, [SCRIPT, ...words], options, (_, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr });
    });
  });
}

/** A module of the script, which has no types. */
export function rescueModule(name: string): Promise<Record<string, (...values: unknown[]) => unknown>> {
  return import(pathToFileURL(join(FOLDER, name)).href);
}
