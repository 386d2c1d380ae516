/**
 * npm run docs:record -- docs/keys.md …
 *
 * Runs the blocks of pages and writes what their commands print into them, where it is not what stands there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { openFixtures } from './fixtures.ts';
import { PAGES, ROOT } from './pages.ts';
import { describeDifferences, type Ran, runPage } from './run-page.ts';
import { isShown, writeSteps } from './transcript.ts';

const room = openFixtures();
try {
  for (const argument of process.argv.slice(2)) {
    const path = relative(ROOT, join(process.cwd(), argument));
    if (!PAGES.has(path)) throw new Error(`${argument} is no page`);
    const ran = await runPage(path, room);
    for (const difference of describeDifferences(path, ran)) console.log(`${difference}\n`);
    const text = readFileSync(join(ROOT, path), 'utf8');
    writeFileSync(join(ROOT, path), ran.reduce(putSeen, text));
  }
} finally {
  await room.end();
}

function putSeen(text: string, { block, steps, seen }: Ran): string {
  if (block.language !== 'console') return text;
  const told = steps.map(({ command, output }, at) => ({
    ...{ command, output: isShown(output, seen[at]!) ? output : seen[at]!.trimEnd() },
  }));
  return text.replace(block.text, () => writeSteps(told));
}
