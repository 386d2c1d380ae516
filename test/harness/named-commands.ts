import assert from 'node:assert/strict';
import { runHere } from './command.ts';

/** Commands of this program that a text names, in backticks or on lines of their own, each with the flags that it names with it. */
export function namedCommands(text: string): ReadonlyMap<string, ReadonlySet<string>> {
  const named = new Map<string, Set<string>>();
  for (const [, line] of text.matchAll(/(?:^ {4}|`)eventcore ([^`\n#]+)/gm)) {
    const words = line!.trim().split(/\s+/);
    const first = words.findIndex((word) => !/^[a-z]+$/.test(word));
    const command = words.slice(0, first < 0 ? words.length : first).join(' ');
    const flags = words.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0]!);
    const known = named.get(command) ?? new Set();
    for (const flag of flags) known.add(flag);
    named.set(command, known);
  }
  return named;
}

/** That each of them is there, by its own help. */
export async function assertCommands(named: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> {
  for (const [command, flags] of named) {
    const { code, stdout } = await runHere([...command.split(' '), '--help']);
    assert.equal(code, 0, command);
    assert.match(stdout, new RegExp(`eventcore ${command}`), command);
    for (const flag of flags) assert.ok(stdout.includes(flag), `eventcore ${command} ${flag}`);
  }
}
