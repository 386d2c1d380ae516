import { basename, extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BUILT_IN_CHECKS } from '../integrity/checks/built-in.ts';
import type { CheckDefinition } from '../integrity/checks/check.ts';
import { brokenCheck, moduleCheck, sqlCheck } from '../integrity/checks/custom.ts';
import type { UserCheck } from './config/check-schema.ts';

/**
 * The checks that the configuration adds; paths of modules are seen from its folder. A module is the user's own program and may do
 * whatever he may. One that cannot be used becomes a check that fails and says why.
 */
export async function loadUserChecks(
  list: readonly UserCheck[],
  folder: string,
): Promise<readonly CheckDefinition[]> {
  const checks: CheckDefinition[] = [];
  for (const user of list) {
    const check =
      'module' in user ? await loadModule(resolve(folder, user.module)) : sqlCheck(statementOf(user));
    const isTaken = [...BUILT_IN_CHECKS, ...checks].some(({ name }) => name === check.name);
    checks.push(
      isTaken ? brokenCheck(freeName(check.name, checks), `there is a check ${check.name} already`) : check,
    );
  }
  return checks;
}

function statementOf({ name, sql, severity, every }: Extract<UserCheck, { readonly sql: string }>) {
  return {
    name,
    sql,
    ...(severity === undefined ? {} : { severity }),
    ...(every === undefined ? {} : { every }),
  };
}

async function loadModule(path: string): Promise<CheckDefinition> {
  const name = basename(path, extname(path))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .slice(0, 50);
  try {
    const loaded = (await import(pathToFileURL(path).href)) as { readonly check?: unknown };
    const check = moduleCheck(loaded.check);
    return typeof check === 'string' ? brokenCheck(`module_${name}`, `${path}: ${check}`) : check;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return brokenCheck(`module_${name}`, `${path} cannot be loaded: ${reason}`);
  }
}

function freeName(taken: string, checks: readonly CheckDefinition[]): string {
  let number = 2;
  while (checks.some(({ name }) => name === `${taken}_${number}`)) number += 1;
  return `${taken}_${number}`;
}
