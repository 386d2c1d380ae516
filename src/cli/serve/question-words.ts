/**
 * What the console may ask: commands that change nothing, with the options that keep them so. All else is a mistake in this program, and so
 * is a value that a command would take for an option: where one may begin with a dash, it has to be joined with its option (`--stream=-a`).
 */
interface Question {
  readonly words: readonly string[];
  readonly options: readonly string[];
}

const POINTS = ['--at', '--lsn', '--before-event', '--to-transaction', '--backup'];
const RESTORE = [...POINTS, '--to', '--dry-run', '--stream', '--checkpoints', '--replace', '--region'];
const DIFF = ['--at', '--lsn', '--before-event', '--to-transaction', '--stream', '--limit', '--events'];

const QUESTIONS: readonly Question[] = [
  { words: ['status'], options: ['--region'] },
  { words: ['list'], options: ['--region'] },
  { words: ['runs'], options: ['--limit'] },
  { words: ['show'], options: ['--streams', '--prefix', '--stream', '--limit', '--region'] },
  { words: ['restore'], options: RESTORE },
  { words: ['diff'], options: [...DIFF, '--region'] },
  { words: ['drill', 'list'], options: ['--limit', '--region'] },
  { words: ['drill', 'show'], options: ['--region'] },
  { words: ['monitor', '--history'], options: ['--history', '--last'] },
  { words: ['keys', 'list'], options: ['--region'] },
  { words: ['hold', 'list'], options: ['--region'] },
  { words: ['freeze', 'status'], options: ['--region'] },
  { words: ['dr', 'assess'], options: ['--trigger', '--at'] },
  { words: ['dr', 'status'], options: ['--timeline', '--all'] },
];

/** Throws where these words are no question. */
export function assertQuestion(words: readonly string[]): void {
  const question = QUESTIONS.find((one) => one.words.every((word, i) => words[i] === word));
  if (question === undefined) throw new Error(`${words.slice(0, 2).join(' ')} is no question`);
  for (const word of words.filter((one) => one.startsWith('-'))) {
    const option = word.split('=', 1)[0]!;
    if (!question.options.includes(option))
      throw new Error(`${question.words.join(' ')}: ${option} is not among what is asked`);
  }
  if (words[0] === 'restore' && !words.includes('--dry-run')) throw new Error('restore is no question');
}
