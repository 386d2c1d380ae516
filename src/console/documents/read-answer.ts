import type { z } from 'zod';
import type { Answer, Ask, Question } from '../ports.ts';

/** What a command answered, as far as a page needs it, or why it did not. */
export type ReadAnswer<Document> =
  | {
      readonly state: 'read';
      readonly document: Document;
      readonly atMs: number;
      readonly exitCode: number;
    }
  | Unread;

export type Unread = Exclude<Answer, { state: 'answered' }>;

/** What a page does not know of a document is left out; what it needs must be there, and be what it should. */
export function readAnswer<Document>(answer: Answer, schema: z.ZodType<Document>): ReadAnswer<Document> {
  if (answer.state !== 'answered') return answer;
  const { atMs, exitCode } = answer;
  const { success, data } = schema.safeParse(answer.document);
  if (success) return { state: 'read', document: data, atMs, exitCode };
  return {
    ...{ state: 'failed', code: null, facts: {}, atMs },
    message: 'the command answered something that this page does not know',
    hint: 'start the daemon anew where another version of the program was installed beneath it',
  };
}

export interface FreshQuestion<Document> extends Question {
  /** Something shows that there is more to know by now. */
  readonly isOutdated: (document: Document) => boolean;
  /** Such an answer may be no older. */
  readonly outdatedAfterMs: number;
}

/** An answer from memory does as long as nothing shows that it is outdated. */
export async function askFresh<Document>(
  ask: Ask,
  { isOutdated, outdatedAfterMs, ...question }: FreshQuestion<Document>,
  schema: z.ZodType<Document>,
): Promise<ReadAnswer<Document>> {
  const first = readAnswer(await ask(question), schema);
  if (first.state !== 'read' || !isOutdated(first.document)) return first;
  const second = readAnswer(await ask({ ...question, maxAgeMs: outdatedAfterMs }), schema);
  return second.state === 'read' || second.state === 'failed' ? second : first;
}
