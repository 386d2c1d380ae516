import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Contender } from './contender.ts';
import { OURS } from './ours.ts';
import { PGBACKREST } from './pgbackrest.ts';
import { postgresPeers } from './postgres.ts';
import { SQLITE } from './sqlite.ts';

/** All that there are, in the order in which they take turns. */
export function allContenders(postgresBinDir: string): readonly Contender[] {
  return [...OURS, ...postgresPeers(postgresBinDir), ...PGBACKREST, ...SQLITE];
}

/** Those whose name has one of these parts in it, whatever the case; all when there are none. */
export function chooseContenders(all: readonly Contender[], parts: readonly string[]): readonly Contender[] {
  if (parts.length === 0) return all;
  const unknown = parts.find((part) => !all.some((one) => matches(one, part)));
  if (unknown !== undefined) {
    throw new Error(
      `no contender is called ${unknown}; there are: ${all.map(({ name }) => name).join('; ')}`,
    );
  }
  return all.filter((one) => parts.some((part) => matches(one, part)));
}

/** `=name` is the whole name. */
function matches({ name }: Contender, part: string): boolean {
  if (part.startsWith('=')) return name.toLowerCase() === part.slice(1).toLowerCase();
  return name.toLowerCase().includes(part.toLowerCase());
}

/** The first program that it needs, or that its input does, and that is not there; null when all are. */
export function missingProgram(contender: Contender, all: readonly Contender[]): string | null {
  const input = all.find(({ name }) => name === contender.input);
  const inputMisses = input === undefined ? null : missingProgram(input, all);
  return contender.needs.find((program) => !isInstalled(program)) ?? inputMisses;
}

function isInstalled(program: string): boolean {
  const folders = isAbsolute(program) ? [''] : (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
