import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { FoldModule, SemanticChecks } from '../../drills/semantics.ts';
import type { DrillCheckEntry } from './schema.ts';

/**
 * The user's own checks of a restored store; paths are seen from the configuration's folder. A module is his own program and may do
 * whatever he may. One that cannot be used fails the tests that need it, and says why: the others run.
 */
export async function loadDrillChecks(
  entries: readonly DrillCheckEntry[],
  folder: string,
): Promise<SemanticChecks> {
  const statements = entries.flatMap((entry) => ('sql' in entry ? [entry] : []));
  const modules: FoldModule[] = [];
  for (const entry of entries) {
    if ('module' in entry) modules.push(await loadModule(resolve(folder, entry.module)));
  }
  return { statements, modules };
}

async function loadModule(path: string): Promise<FoldModule> {
  const name = basename(path);
  try {
    const loaded = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
    return readModule(name, loaded);
  } catch (error) {
    return broken(name, `cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
}

type Predicate = (streamId: string) => unknown;

/** `initialState` is a function as in Emmett, or the state itself; `streams` the beginning of names, a pattern, or a function. */
function readModule(name: string, { initialState, evolve, streams }: Record<string, unknown>): FoldModule {
  if (typeof evolve !== 'function') return broken(name, 'exports no function `evolve`');
  if (initialState === undefined) return broken(name, 'exports no `initialState`');
  const concerns = readStreams(streams);
  if (concerns === null) return broken(name, 'exports `streams` that is no text, pattern or function');
  return {
    name,
    initialState: () => (typeof initialState === 'function' ? initialState() : structuredClone(initialState)),
    evolve: (state, event) => evolve(state, event) as unknown,
    concerns,
  };
}

function readStreams(streams: unknown): ((streamId: string) => boolean) | null {
  if (streams === undefined) return () => true;
  if (typeof streams === 'string') return (streamId) => streamId.startsWith(streams);
  if (streams instanceof RegExp) return (streamId) => streamId.search(streams) !== -1;
  return typeof streams === 'function' ? (streamId) => (streams as Predicate)(streamId) === true : null;
}

function broken(name: string, why: string): FoldModule {
  const fail = (): never => {
    throw new Error(`the module ${why}`);
  };
  return { name, initialState: () => null, evolve: fail, concerns: () => true };
}
