/** Names the processes that write backups, so that another one can find out whether it still does. */
export interface Writers {
  /** This process, in a few letters, digits and hyphens. */
  readonly self: string;
  /** `unknown`: another machine or container may know. */
  stateOf(writer: string): WriterState;
}

export type WriterState = 'alive' | 'dead' | 'unknown';
