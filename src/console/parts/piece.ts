import type { Html } from '../route.ts';
import { instant } from './times.ts';

/** A part of a sentence: words, or an instant. */
export type Piece = string | { readonly instant: string };

export function piece(one: Piece): Html | string {
  return typeof one === 'string' ? one : instant(one.instant);
}
