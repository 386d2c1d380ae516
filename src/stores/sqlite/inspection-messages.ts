import type { SqlRow, SqlValue } from '../../core/inspection.ts';
import type { Failure } from './failure.ts';

/** What goes to a process that reads for an inspection: one order, one answer. */
export type InspectionOrder =
  /** Of a layout only the name can be sent. */
  | { readonly kind: 'open'; readonly address: string; readonly path: string; readonly layout: string }
  | {
      readonly kind: 'select';
      readonly sql: string;
      readonly parameters: readonly SqlValue[];
      readonly rows: number;
    }
  | { readonly kind: 'more'; readonly rows: number }
  /** The statement is over, whatever it has still to give. */
  | { readonly kind: 'end' };

export type InspectionAnswer =
  | { readonly kind: 'ready' }
  /** Fewer than were asked for: there are no more. */
  | { readonly kind: 'rows'; readonly rows: readonly SqlRow[] }
  | { readonly kind: 'failed'; readonly failure: Failure };
