/** The container file as data, and what its builder would see of the repository. */
import assert from 'node:assert/strict';
import { type Copy, DockerfileParser, type Instruction, JSONInstruction } from 'dockerfile-ast';

export interface Step {
  readonly keyword: string;
  /** Null: it is not in the exec form, or has none. */
  readonly words: readonly string[] | null;
  readonly text: string;
  /** Of a COPY: the stage that it takes from; null: the repository. */
  readonly from: string | null;
}

export interface Stage {
  readonly name: string | null;
  /** As written: `${NODE_IMAGE}`. */
  readonly image: string;
  readonly steps: readonly Step[];
}

export function parseContainerfile(text: string): Stage[] {
  const stages: (Stage & { steps: Step[] })[] = [];
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    const step = stepOf(instruction);
    if (step.keyword === 'FROM') {
      const [image, , name = null] = step.text.replace(/^--\S+ /, '').split(/\s+/);
      stages.push({ name, image: image!, steps: [] });
    } else stages.at(-1)?.steps.push(step);
  }
  return stages;
}

function stepOf(instruction: Instruction): Step {
  const keyword = instruction.getKeyword();
  const text = instruction.getArgumentsContent() ?? '';
  const from = keyword === 'COPY' ? ((instruction as Copy).getFromFlag()?.getValue() ?? null) : null;
  return { keyword, words: wordsOf(instruction, text), text, from };
}

function wordsOf(instruction: Instruction, text: string): string[] | null {
  if (instruction.getKeyword() === 'HEALTHCHECK') return execForm(text.replace(/^.*?CMD\s+/, ''));
  const isExec = instruction instanceof JSONInstruction && instruction.getOpeningBracket() !== null;
  if (isExec) return instruction.getJSONStrings().map((word) => word.getJSONValue());
  return instruction.getKeyword() === 'COPY'
    ? instruction.getArguments().map((word) => word.getValue())
    : null;
}

function execForm(text: string): string[] | null {
  return text.startsWith('[') ? (JSON.parse(text) as string[]) : null;
}

/** Whether a file of the repository is sent to the builder. Of the rules that a path fits, the last one counts. Knows no patterns but `*` alone. */
export function isInContext(ignoreFile: string, path: string): boolean {
  let isIn = true;
  for (const line of ignoreFile.split('\n')) {
    const rule = line.trim();
    if (rule === '' || rule.startsWith('#')) continue;
    const name = rule.replace(/^!/, '');
    assert.match(name, /^(?:\*|[^*?[]+)$/, 'a pattern that this reader does not know');
    if (name === '*' || path === name || path.startsWith(`${name}/`)) isIn = rule.startsWith('!');
  }
  return isIn;
}
