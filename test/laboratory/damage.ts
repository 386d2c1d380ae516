/**
 * One kind of damage: how it is done to a specimen, and what has to come of it. Plain data but for `does`, so that a table can be
 * made of them.
 */
export interface Damage<Specimen> {
  /** What happened, as one would tell it. Names the kind, once. */
  readonly name: string;
  /** Does it, behind everybody's back. Gives words that the message about it must have: what a person needs to find the thing. */
  readonly does: (specimen: Specimen) => Promise<readonly string[]>;
  readonly expect: Expectation;
}

export interface Expectation {
  /** The rung of the ladder that finds it; null for what no rung has to find. */
  readonly rung: string | null;
  /** All that is reported, as `what: code`, and nothing else is; the first is the damage, the others follow from it. */
  readonly reports: readonly string[];
  /** What may be reported too, as `what: message`: whoever reads where nothing can be read says so, and who does depends on the plans of the store. */
  readonly mayAlso?: RegExp;
  /** What a repair cannot bring back, since nobody has it any more; left out: nothing. */
  readonly differs?: string;
  /** What a command says of it, where no report does. */
  readonly told?: { readonly by: readonly string[]; readonly as: RegExp };
  /** What the repair is to be told beside. */
  readonly repairWith?: readonly string[];
  readonly repair: Repaired | Refused | Harmless;
}

/** All is as it was before. */
export interface Repaired {
  readonly outcome: 'repaired';
  /** How, for people. */
  readonly by: string;
}

/** Nothing was changed, and the answer says why. */
export interface Refused {
  readonly outcome: 'refused';
  readonly reason: RegExp;
  /** What a person does then. */
  readonly wayOut: string;
  /** What is put right all the same; left out: nothing. */
  readonly butDoes?: string;
}

/** Nothing is lost or wrong, and why that is so. */
export interface Harmless {
  readonly outcome: 'harmless';
  readonly why: string;
}

export function repaired(by: string): Repaired {
  return { outcome: 'repaired', by };
}

export function refused(reason: RegExp, wayOut: string, butDoes?: string): Refused {
  return { outcome: 'refused', reason, wayOut, ...(butDoes === undefined ? {} : { butDoes }) };
}

export function harmless(why: string): Harmless {
  return { outcome: 'harmless', why };
}
