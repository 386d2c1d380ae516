import { describe } from 'node:test';
import { itFindsEachByte, itFindsEachSealedByte } from './every-byte.ts';

describe('damage is found in every format', () => {
  itFindsEachByte(1);
  itFindsEachSealedByte(1);
});
