/** Under the title of each page. */
export const GENERATED =
  '<!-- Made by `npm run reference` from the code: change that, or scripts/reference. -->';
