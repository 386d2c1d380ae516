import fc from 'fast-check';
import type { TestEvent } from '../../src/testing/batches.ts';

/** What somebody does to one event behind the back of its store, or puts beside it. */
export type Edit = 'keep' | 'delete' | 'data' | 'metadata' | 'type' | 'time' | 'replace' | 'insert' | 'copy';

export type Event = TestEvent & { readonly id: string; readonly streamId: string };

export interface EditedStore {
  readonly before: readonly Event[];
  readonly after: readonly Event[];
  /** Those of `after` that are not in `before`, as they are. */
  readonly written: readonly Event[];
  /** `stream version kind fields`, sorted. */
  readonly expected: readonly string[];
}

/** Names that somebody may have thought of: empty, of other scripts, hostile to JSON and to terminals. */
export const ODD_NAMES = [
  ...['order-1', 'order-10', '', ' ', '"}],', 'a\\b\\u0041', '\u{1F9FE}\u{10FFFF}', '\uE000', 'line\nline'],
  ...['base64:', 'base64:bm8=', '\u202Eback', '__proto__', "'; DROP TABLE x; --", `${'long'.repeat(200)}`],
];

const EDITS: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 12, arbitrary: fc.constant('keep' as const) },
  ...(['delete', 'data', 'metadata', 'type', 'time', 'replace', 'insert', 'copy'] as const).map((edit) => ({
    weight: 1,
    arbitrary: fc.constant(edit),
  })),
);

/** Small stores with every second version left out, so that there is room for more. `doubles`: two events may stand at one version. */
export function editedStores({ doubles }: { readonly doubles: boolean }): fc.Arbitrary<EditedStore> {
  const stream = fc.record({
    edits: fc.array(EDITS, { minLength: 1, maxLength: 8 }),
    appended: fc.nat(2),
    isNew: fc.boolean(),
  });
  return fc
    .uniqueArray(fc.constantFrom(...ODD_NAMES), { minLength: 1, maxLength: 6 })
    .chain((names) => fc.tuple(...names.map((name) => fc.record({ name: fc.constant(name), stream }))))
    .map((streams) => editStore(streams, doubles));
}

function editStore(
  streams: readonly {
    readonly name: string;
    readonly stream: { readonly edits: readonly Edit[]; readonly appended: number; readonly isNew: boolean };
  }[],
  doubles: boolean,
): EditedStore {
  let made = 0;
  const newId = (): string => {
    made += 1;
    return `00000000-0000-7000-8000-${String(made).padStart(12, '0')}`;
  };
  const before: Event[] = [];
  const after: Event[] = [];
  const written: Event[] = [];
  const expected: string[] = [];
  for (const { name, stream } of streams) {
    const note = (version: number, what: string): void => {
      expected.push(`${JSON.stringify(name)} ${version} ${what}`);
    };
    const write = (event: Event): void => {
      after.push(event);
      written.push(event);
    };
    const known = stream.isNew ? [] : stream.edits;
    known.forEach((edit, i) => {
      const event: Event = { id: newId(), streamId: name, version: 2 * i + 1, data: `{"n":${i}}`, time: 5n };
      before.push(event);
      if (edit === 'delete') note(event.version, 'missing ');
      else if (edit === 'insert') {
        after.push(event);
        write({ ...event, id: newId(), version: event.version - 1 });
        note(event.version - 1, 'between ');
      } else if (edit === 'copy' && doubles) {
        after.push(event);
        write(event);
        note(event.version, 'between ');
      } else if (edit === 'replace') {
        write({ ...event, id: newId() });
        note(event.version, 'replaced id');
      } else if (edit === 'keep' || edit === 'copy') after.push(event);
      else {
        write({ ...event, ...CHANGES[edit] });
        note(event.version, `changed ${edit}`);
      }
    });
    for (let i = 0; i < stream.appended; i += 1) {
      const version = 2 * known.length + i;
      write({ id: newId(), streamId: name, version });
      note(version, 'newer ');
    }
  }
  return { before, after, written, expected: expected.sort() };
}

const CHANGES: Readonly<
  Record<
    'data' | 'metadata' | 'type' | 'time',
    Partial<Pick<TestEvent, 'data' | 'metadata' | 'type' | 'time'>>
  >
> = {
  data: { data: '{"n":-1}' },
  metadata: { metadata: '{"by":"hand"}' },
  type: { type: 'Other' },
  time: { time: 6n },
};
