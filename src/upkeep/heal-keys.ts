import { parseKeyRecordName } from '../format/key-record.ts';
import { type HealRun, healObject, isDonorsFault, listNames } from './heal-object.ts';
import { recordCheck } from './object-check.ts';

/** Records that are damaged; and where none is left of the key, all that others have. One that somebody removed stays removed. */
export async function healKeyRecords(run: HealRun, folder: string, keyId: string): Promise<void> {
  const prefix = `${folder}key-${keyId}-`;
  const isRecord = (name: string): boolean => parseKeyRecordName(name.slice(folder.length)) !== null;
  const own = (await listNames(run.vault, prefix)).filter(isRecord);
  let sound = 0;
  for (const name of own) if (await healObject(run, name, recordCheck)) sound += 1;
  if (sound > 0) return;
  for (const name of await donorRecords(run, prefix)) {
    if (isRecord(name) && !own.includes(name)) await healObject(run, name, recordCheck);
  }
}

async function donorRecords({ donors }: HealRun, prefix: string): Promise<Set<string>> {
  const names = new Set<string>();
  for (const donor of donors) {
    try {
      for (const name of await listNames(donor, prefix)) names.add(name);
    } catch (error) {
      if (!isDonorsFault(error)) throw error;
    }
  }
  return names;
}
