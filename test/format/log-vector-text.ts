import type { Vault } from '../../src/core/vault.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { positionText } from '../../src/format/log-name.ts';
import { readChanges } from './log-batches.ts';

/** All that a vault holds of logs, as JSON: positions in their text form, other 64-bit numbers as decimal text. */
export async function describeLog(vault: Vault): Promise<unknown> {
  const timelines = await Promise.all(
    (await readLogCatalog(vault)).map(async ({ folder, spans, covered, gaps, problems }) => ({
      folder,
      spans: await Promise.all(
        spans.map(async ({ from, to, files }) => ({
          ...{ from: positionText(from), to: positionText(to) },
          files: files.map(({ name }) => name),
          blocks: await readChanges(vault, files),
        })),
      ),
      covered: covered.map(({ name }) => name),
      gaps: gaps.map((gap) => ({ ...gap, from: positionText(gap.from), to: positionText(gap.to) })),
      problems,
    })),
  );
  return JSON.parse(JSON.stringify(timelines, asText));
}

function asText(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value;
}
