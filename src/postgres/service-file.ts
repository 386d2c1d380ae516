import { readFileSync } from 'node:fs';
import { BackupError } from '../core/errors.ts';
import { type Parameters, readParameters } from './keywords.ts';

/** The parameters of a service, from the first of the files that has it. Throws `usage` where none has. */
export function readService(service: string, paths: readonly string[]): Parameters {
  for (const path of paths) {
    const found = serviceIn(textOf(path), service);
    if (found !== null) return readParameters(found, `service ${service} in ${path}`);
  }
  throw new BackupError('usage', `service ${service} is not found in ${paths.join(' or ')}`, {
    hint: 'a service is a section [name] of such a file, with lines of the form host=db.example',
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Null where there is no such section. */
export function serviceIn(text: string, service: string): [string, string][] | null {
  let found: [string, string][] | null = null;
  for (const line of text.split(/\r?\n/).map((each) => each.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('[')) {
      if (found !== null) return found;
      if (line === `[${service}]`) found = [];
    } else if (found !== null) {
      const at = line.indexOf('=');
      found.push([
        line.slice(0, at === -1 ? undefined : at).trim(),
        at === -1 ? '' : line.slice(at + 1).trim(),
      ]);
    }
  }
  return found;
}
